"""A smooth motion through way points: cubic pieces, at rest at both ends, no overshoot."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicHermiteSpline


class Motion:
    """Joint positions over time.

    Args:
        start_time: when it begins [s].
        times: shape (K,), after `start_time`, rising [s]; relative to it.
        start: shape (D,). points: shape (K, D), reached at `times`.
    """

    def __init__(
        self, start_time: float, start: np.ndarray, times: np.ndarray, points: np.ndarray
    ) -> None:
        knots = np.concatenate([[0.0], times])
        values = np.vstack([start, points])
        self._start_time = start_time
        self._end = float(knots[-1])
        self._last = values[-1].copy()
        self._spline = CubicHermiteSpline(knots, values, _slopes(knots, values))

    def at(self, time: float) -> np.ndarray:
        """Positions, shape (D,), at a time; the last point from the end on."""
        elapsed = time - self._start_time
        return self._last.copy() if elapsed >= self._end else self._spline(max(elapsed, 0.0))

    def ended(self, time: float) -> bool:
        """Has the last point been reached?"""
        return time - self._start_time >= self._end


def _slopes(knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    # Fritsch and Butland 1984: the harmonic mean of the neighbouring secants where both have the
    # same sign, else zero: the curve stays between its way points
    slopes = np.zeros_like(values)
    secants = np.diff(values, axis=0) / np.diff(knots)[:, None]
    before, after = secants[:-1], secants[1:]
    same = before * after > 0
    total = np.where(same, before + after, 1.0)
    slopes[1:-1] = np.where(same, 2 * before * after / total, 0.0)
    return slopes
