"""Smooth following of a near, moving target: linear feedback on three states, sampled.

Error dynamics of a joint whose jerk is held over a step h: the three poles are put at
z = exp(−bandwidth · h), whatever h is (Ackermann's formula for the triple integrator):

    jerk = w³/h³ · Δx + w²(3 − 2w)/h² · Δv + w(3 − 9/2 w + 11/6 w²)/h · Δa,    w = 1 − z

For h → 0 these are the continuous gains bandwidth³, 3 bandwidth², 3 bandwidth.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Sample(NamedTuple):
    """Where joints are and how they move, each shape (14,): [rad], [rad/s], [rad/s²]."""

    position: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray


def integrated(now: Sample, jerk: np.ndarray, step: float) -> Sample:
    """A step [s] later under a constant jerk, shape (14,) [rad/s³]."""
    position, velocity, acceleration = now
    return Sample(
        position + step * (velocity + step * (acceleration / 2 + step * jerk / 6)),
        velocity + step * (acceleration + step * jerk / 2),
        acceleration + step * jerk,
    )


def feedback_jerk(now: Sample, target: Sample, step: float, bandwidth: float) -> np.ndarray:
    """The jerk for the next step, shape (14,) [rad/s³].

    Args:
        now: of the joints.
        target: where they should be at the end of the step.
        step: [s]
        bandwidth: of the closed loop, all three poles [rad/s].
    """
    ahead = integrated(now, np.zeros_like(now.position), step)
    w = 1.0 - math.exp(-bandwidth * step)
    gains = (
        w**3 / step**3,
        w**2 * (3 - 2 * w) / step**2,
        w * (3 - 4.5 * w + 11 / 6 * w**2) / step,
    )
    jerk: np.ndarray = sum(gain * (t - a) for gain, t, a in zip(gains, target, ahead))
    return jerk


def peak_speed(now: Sample, jerk: np.ndarray, step: float) -> np.ndarray:
    """The largest speed during a step under a constant jerk, shape (14,) [rad/s]."""
    end = integrated(now, jerk, step)
    speed = np.maximum(np.abs(now.velocity), np.abs(end.velocity))
    turns = now.acceleration * end.acceleration < 0
    safe = np.where(turns, jerk, 1.0)
    between = now.velocity - np.where(turns, now.acceleration**2 / (2 * safe), 0.0)
    return np.maximum(speed, np.abs(between))
