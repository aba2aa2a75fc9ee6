"""Normalized error: e_j = MAE_j / (q95 − q05 of the demonstrated action), per joint.

A joint that the task does not move has no scale of its own: its normalized error is NaN (its error
in robot units is reported all the same).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuavo_eval.metrics.differences import differences, unwrapped_yaw
from kuavo_eval.metrics.parts import still_below


def demonstrated_spread(episodes: Sequence[np.ndarray]) -> np.ndarray:
    """q95 − q05 of each number of the demonstrated action. Shape (D,).

    Args:
        episodes: actions of each episode, shape (L, D).
    """
    actions = np.concatenate([unwrapped_yaw(episode) for episode in episodes])
    low, high = np.quantile(actions, [0.05, 0.95], axis=0)
    return high - low


def moved_joints(episodes: Sequence[np.ndarray]) -> np.ndarray:
    """Which numbers a task moves, shape (D,), bool: in most episodes, by more than nothing.

    A joint that merely rests somewhere else in each episode has a spread, but no movement that an
    error could be measured by.

    Args:
        episodes: actions of each episode, shape (L, D).
    """
    within = np.median([demonstrated_spread([episode]) for episode in episodes], axis=0)
    return within >= still_below(len(within))


def normalized(errors: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Errors, shape (…, D), over the spread, shape (D,), whose 0 or NaN marks joints at rest.

    NaN for those.
    """
    return errors / np.where(spread > 0, spread, np.nan)


def frame_errors(
    predicted: np.ndarray, recorded: np.ndarray, valid: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    """Normalized error of each frame: mean over the joints that move and the steps that count.

    Args:
        predicted: shape (…, N, T, ≥D).
        recorded: shape (N, T, D).
        valid: shape (N, T), false past the episode's end.
        spread: shape (D,).

    Returns:
        Shape (…, N); NaN when no joint moves.
    """
    scaled = normalized(np.abs(differences(predicted, recorded)), spread)
    moved = ~np.isnan(normalized(np.ones(len(spread)), spread))
    if not moved.any():
        return np.full(scaled.shape[:-2], np.nan)
    kept = np.where(valid[..., None], scaled[..., moved], 0.0)
    return kept.sum(axis=(-2, -1)) / (valid.sum(axis=-1) * moved.sum())
