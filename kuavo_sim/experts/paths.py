"""Timing of joint paths: as fast as wanted where the joints allow it, slower where they must."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuavo_sim.env import CONTROL_HZ

PEAK_TO_MEAN = 1.875
"""Highest speed of a minimum-jerk motion relative to its mean speed."""
_FEWEST_PERIODS = 4


def minimum_jerk_samples(
    path: np.ndarray, seconds: Sequence[float] | np.ndarray, velocity: np.ndarray
) -> np.ndarray:
    """Targets, one per control period, that run through a path from rest to rest.

    Args:
        path: joint positions along the way, shape (N + 1, J) [rad].
        seconds: how long each of its N steps shall take at mean speed.
        velocity: no joint is faster than this, shape (J,) [rad/s].

    Returns:
        Shape (periods, J) [rad], without the path's start, with its end.
    """
    needed = (np.abs(np.diff(path, axis=0)) / velocity).max(axis=1) * PEAK_TO_MEAN
    clock = np.concatenate([[0.0], np.cumsum(np.maximum(seconds, needed))])
    periods = max(_FEWEST_PERIODS, int(np.ceil(clock[-1] * CONTROL_HZ)))
    part = np.arange(1, periods + 1) / periods
    at = clock[-1] * part**3 * (10 - 15 * part + 6 * part**2)
    return np.column_stack([np.interp(at, clock, joint) for joint in path.T])
