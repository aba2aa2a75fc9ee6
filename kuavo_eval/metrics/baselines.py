"""What a policy has to beat: staying, the task's average, the demonstration most like it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from kuavo_deploy.robot.layout import ARM_INDICES, MOVE, STATE_DIM
from kuavo_eval.metrics.differences import unwrapped_yaw

ARM_SCALE, HAND_SCALE = 1.0, 1.0
"""Distances between states: one radian weighs as much as a hand's whole way."""


def hold(states: np.ndarray, actions: np.ndarray, steps: int) -> np.ndarray:
    """Chunks that stay where the robot is.

    The state has no base pose: the base stays at the pose commanded a frame before, and stands.

    Args:
        states: shape (L, 16), a whole episode.
        actions: shape (L, D), its recorded actions.
        steps: T.

    Returns:
        Shape (L, T, D).
    """
    held = np.array(actions, np.float64)
    held[:, :STATE_DIM] = states
    if held.shape[1] > STATE_DIM:
        held[1:, STATE_DIM:] = actions[:-1, STATE_DIM:]
        held[:, MOVE] = 0.0
    return np.repeat(held[:, None], steps, axis=1)


def mean_trajectory(episodes: Sequence[np.ndarray], length: int) -> np.ndarray:
    """The average action at each frame since the start, shape (length, D).

    Args:
        episodes: demonstrated actions, shape (L, D) each; a shorter one keeps its last action.
        length: frames wanted.
    """
    wanted = np.arange(length)
    return np.mean([_at(unwrapped_yaw(episode), wanted) for episode in episodes], axis=0)


def along(trajectory: np.ndarray, length: int, steps: int) -> np.ndarray:
    """Chunks out of one trajectory, the last action repeated: shape (length, steps, D)."""
    return _at(trajectory, np.arange(length)[:, None] + np.arange(steps))


class NearestDemonstration:
    """Replays the demonstration whose state is nearest.

    Args:
        states: of each demonstration, shape (L, 16).
        actions: likewise, shape (L, D).
    """

    def __init__(self, states: Sequence[np.ndarray], actions: Sequence[np.ndarray]) -> None:
        self._tree = cKDTree(np.concatenate([_scaled(s) for s in states]))
        self._actions = list(actions)
        self._owner = np.concatenate([np.full(len(s), i) for i, s in enumerate(states)])
        self._frame = np.concatenate([np.arange(len(s)) for s in states])

    def chunks(self, states: np.ndarray, steps: int) -> np.ndarray:
        """What the nearest demonstration did next. states: (N, 16) → (N, steps, D)."""
        _, nearest = self._tree.query(_scaled(states))
        return np.stack(
            [
                _at(self._actions[self._owner[row]], self._frame[row] + np.arange(steps))
                for row in nearest
            ]
        )


def _scaled(states: np.ndarray) -> np.ndarray:
    scale = np.full(STATE_DIM, HAND_SCALE)
    scale[list(ARM_INDICES)] = ARM_SCALE
    return np.asarray(states, np.float64) / scale


def _at(trajectory: np.ndarray, frames: np.ndarray) -> np.ndarray:
    return np.asarray(trajectory)[np.minimum(frames, len(trajectory) - 1)]
