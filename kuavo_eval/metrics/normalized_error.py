"""Normalized error: e_j = MAE_j / (q95 − q05 of the demonstrated action), per joint.

A joint that the task hardly moves has no scale of its own: its normalized error is NaN (its error
in robot units is reported all the same).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuavo_eval.metrics.differences import unwrapped_yaw
from kuavo_eval.metrics.parts import still_below


def demonstrated_spread(episodes: Sequence[np.ndarray]) -> np.ndarray:
    """q95 − q05 of each number of the demonstrated action. Shape (D,).

    Args:
        episodes: actions of each episode, shape (L, D).
    """
    actions = np.concatenate([unwrapped_yaw(episode) for episode in episodes])
    low, high = np.quantile(actions, [0.05, 0.95], axis=0)
    return high - low


def normalized(errors: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Errors, shape (…, D), over the spread, shape (D,); NaN for joints that stand still."""
    moved = np.where(spread >= still_below(len(spread)), spread, np.nan)
    return errors / moved
