"""Dynamic time warping: the error that is left when a movement may be early or late.

It hides timing, so the timing error that it took out is reported beside it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Warped(NamedTuple):
    """error: mean distance along the path, in the sequences' unit.

    timing: mean |predicted − recorded| time along the path [s]. lag: the same with its sign,
    positive where the prediction is late [s].
    """

    error: float
    timing: float
    lag: float


def warped(predicted: np.ndarray, recorded: np.ndarray, fps: float, window: float) -> Warped:
    """Align two sequences with the symmetric steps of Sakoe and Chiba (1978, IEEE ASSP-26).

    Args:
        predicted: shape (P, D).
        recorded: shape (R, D).
        fps: frames a second.
        window: how far a frame may move in time [s] (Sakoe–Chiba band; at least as wide as the
            sequences' difference in length).
    """
    band = max(round(window * fps), abs(len(predicted) - len(recorded)))
    apart = np.abs(np.subtract.outer(np.arange(len(predicted)), np.arange(len(recorded))))
    distances = np.linalg.norm(predicted[:, None] - recorded[None], axis=-1)
    path = _path(np.where(apart <= band, distances, np.inf))
    rows, columns = path[:, 0], path[:, 1]
    late = (rows - columns) / fps
    return Warped(
        float(distances[rows, columns].mean()), float(np.abs(late).mean()), float(late.mean())
    )


def _path(distances: np.ndarray) -> np.ndarray:
    """The cheapest way from the first pair to the last, shape (K, 2)."""
    rows, columns = distances.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(rows):
        for j in range(columns):
            if np.isfinite(distances[i, j]):
                before = min(total[i, j], total[i, j + 1], total[i + 1, j])
                total[i + 1, j + 1] = distances[i, j] + before
    i, j = rows - 1, columns - 1
    path = [(i, j)]
    while (i, j) != (0, 0):
        # a tie goes to the diagonal, which shifts nothing
        steps = [(total[i, j], 0, i - 1, j - 1), (total[i, j + 1], 1, i - 1, j)]
        steps.append((total[i + 1, j], 2, i, j - 1))
        _, _, i, j = min(step for step in steps if step[2] >= 0 and step[3] >= 0)
        path.append((i, j))
    return np.array(path[::-1])
