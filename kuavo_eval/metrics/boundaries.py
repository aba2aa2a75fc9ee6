"""The jump where a new chunk takes over from the old one."""

from __future__ import annotations

import numpy as np

from kuavo_deploy.robot.layout import ARM_INDICES


def boundary_jumps(stream: np.ndarray, boundaries: np.ndarray) -> np.ndarray:
    """The largest step of an arm joint at each chunk boundary, shape (B,) [rad].

    Args:
        stream: executed actions, shape (L, D).
        boundaries: frames ≥ 1 at which a new chunk begins, shape (B,).
    """
    arms = np.asarray(stream)[:, list(ARM_INDICES)]
    return np.abs(arms[boundaries] - arms[boundaries - 1]).max(axis=1, initial=0.0)
