"""Signs that a recording is broken although every message is there."""

from __future__ import annotations

import math

import numpy as np

from kuavo_deploy.robot import layout
from kuavo_train.data.bags.errors import BagRefused

FROZEN_FRAMES = 10
"""So many equal images in a row while the arm that it watches moves: the camera is frozen."""
MOVED = 0.15
"""The arm that a camera watches moved if one of its joints did by more than this [rad]."""
ZERO_MESSAGES = 5
MAX_ANGLE = 2 * math.pi

_WATCHED = {
    "head_cam_h": layout.ARM_INDICES,
    "wrist_cam_l": tuple(range(7)),
    "wrist_cam_r": tuple(range(8, 15)),
}


def check_arms(values: np.ndarray, what: str) -> None:
    """Refuse arm angles that no arm has. values: shape (n, 14) [rad].

    Raises:
        BagRefused: all zero for several messages, or beyond a full turn.
    """
    zero = np.all(values == 0, axis=1)
    if zero.sum() >= min(ZERO_MESSAGES, len(values)):
        raise BagRefused(
            f"{what}: all 14 arm joints are exactly 0 in {int(zero.sum())} of "
            f"{len(values)} messages"
        )
    largest = float(np.abs(values).max())
    if largest > MAX_ANGLE:
        raise BagRefused(
            f"{what}: an angle of {largest:.1f} rad, more than a full turn: are these degrees?"
        )


def longest_run(values: np.ndarray) -> tuple[int, int]:
    """Start and length of the longest run of equal numbers in `values`, shape (n,)."""
    edges = np.flatnonzero(np.diff(values)) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(np.concatenate([starts, [len(values)]]))
    best = int(np.argmax(lengths))
    return int(starts[best]), int(lengths[best])


def frozen_run(
    camera: str, changed: np.ndarray, states: np.ndarray, moved: float = MOVED
) -> tuple[int, int] | None:
    """The frames (start, length) in which `camera` shows one image while its arm moves.

    A robot that waits may well see the same picture, so standing still excuses a camera.

    Args:
        camera: a name of `topics.CAMERAS`.
        changed: shape (n - 1,): does image i + 1 differ from image i?
        states: shape (n, 16).
        moved: how far a joint must have moved [rad].
    """
    watched = states[:, list(_WATCHED.get(camera, layout.ARM_INDICES))]
    edges = np.concatenate([[0], np.flatnonzero(changed) + 1, [len(changed) + 1]])
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        if stop - start >= FROZEN_FRAMES and np.ptp(watched[start:stop], axis=0).max() > moved:
            return int(start), int(stop - start)
    return None
