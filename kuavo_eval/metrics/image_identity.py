"""Can tasks be told apart by image alone? Then a policy needs no language to look obedient.

A classifier that never sees text: each frame takes the task of the most similar frame of another
episode. Where it is right far more often than chance, the instruction matrix of these tasks
proves little.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

THUMBNAIL = (12, 16)
"""Height and width that a camera's image is reduced to [px]."""
TOLD_APART = 0.9
"""Balanced accuracy between two tasks from which on they count as told apart."""


def told_apart(
    thumbnails: np.ndarray, tasks: np.ndarray, episodes: np.ndarray, count: int
) -> np.ndarray:
    """Balanced accuracy of telling task i from task k by image, shape (count, count).

    0.5 is chance. NaN on the diagonal and where a task has fewer than two episodes.

    Args:
        thumbnails: shape (N, P), all cameras of a frame in one row.
        tasks: shape (N,), 0…count − 1.
        episodes: shape (N,), unique over tasks.
        count: tasks.
    """
    distances = cdist(thumbnails, thumbnails)
    distances[episodes[:, None] == episodes[None]] = np.inf
    accuracy = np.full((count, count), np.nan)
    several = [len(set(episodes[tasks == task].tolist())) > 1 for task in range(count)]
    for i in range(count):
        for k in range(i):
            if several[i] and several[k]:
                accuracy[i, k] = accuracy[k, i] = _pair(distances, tasks, i, k)
    return accuracy


def _pair(distances: np.ndarray, tasks: np.ndarray, one: int, other: int) -> float:
    rows = np.nonzero((tasks == one) | (tasks == other))[0]
    nearest = tasks[rows][distances[np.ix_(rows, rows)].argmin(axis=1)]
    right = nearest == tasks[rows]
    return float(np.mean([right[tasks[rows] == task].mean() for task in (one, other)]))
