"""Predicted commands that the robot may not follow: beyond limits, or too fast."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kuavo_deploy.robot.layout import ARM_INDICES, HAND_INDICES
from kuavo_deploy.robot.version import RobotLimits

HAND_TOLERANCE = 0.05
"""Hands may be commanded so far outside 0…1; the driver clips."""


class Violations(NamedTuple):
    """How many of the commands looked at; add up with `+` over chunks and episodes.

    commands, steps: how many there were. position: commands with an arm joint beyond its limit.
    velocity: steps with an arm joint faster than allowed. hands: commands outside 0…1.
    """

    commands: int
    steps: int
    position: int
    velocity: int
    hands: int

    def __add__(self, other: object) -> Violations:  # type: ignore[override]
        """Sums, not a longer tuple."""
        if not isinstance(other, Violations):
            return NotImplemented
        return Violations(*(a + b for a, b in zip(self, other, strict=True)))


def violations(chunks: np.ndarray, limits: RobotLimits, fps: float) -> Violations:
    """Count violations in chunks, shape (N, T, D), of a frame every 1/fps seconds."""
    arms = np.asarray(chunks, np.float64)[..., list(ARM_INDICES)]
    hands = np.asarray(chunks, np.float64)[..., list(HAND_INDICES)]
    speeds = np.abs(np.diff(arms, axis=1)) * fps
    outside = (arms < limits.lower) | (arms > limits.upper)
    open_or_closed = (hands < -HAND_TOLERANCE) | (hands > 1 + HAND_TOLERANCE)
    return Violations(
        commands=int(np.prod(arms.shape[:2])),
        steps=int(np.prod(speeds.shape[:2])),
        position=int(outside.any(axis=-1).sum()),
        velocity=int((speeds > limits.velocity).any(axis=-1).sum()),
        hands=int(open_or_closed.any(axis=-1).sum()),
    )
