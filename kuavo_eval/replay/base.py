"""The base of a walking task: shadow poses against recorded ones, and whether it moves at all."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kuavo_deploy.robot.layout import MOVE_THRESHOLD, wrap_angle


@dataclass(frozen=True)
class BaseScore:
    """Of one bag.

    distance [m], heading [rad]: of the commanded poses from each other, shape (k,), at the frames
    at which the recorded base moves: where it stands, the last pose means nothing.
    agrees: moves or stands as recorded, shape (m,), 0 or 1, at all frames under command.
    """

    distance: np.ndarray = field(default_factory=lambda: np.empty(0))
    heading: np.ndarray = field(default_factory=lambda: np.empty(0))
    agrees: np.ndarray = field(default_factory=lambda: np.empty(0))


def base_score(recorded: np.ndarray, shadow: np.ndarray) -> BaseScore:
    """Hold them against each other.

    Args:
        recorded: x, y [m], yaw [rad], move, shape (m, 4).
        shadow: the same.
    """
    moves, shadow_moves = (base[:, 3] > MOVE_THRESHOLD for base in (recorded, shadow))
    off = (shadow - recorded)[moves]
    return BaseScore(
        distance=np.hypot(off[:, 0], off[:, 1]),
        heading=np.abs(wrap_angle(off[:, 2])),
        agrees=(moves == shadow_moves).astype(np.float64),
    )
