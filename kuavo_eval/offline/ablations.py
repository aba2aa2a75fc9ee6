"""What a policy still does when it cannot see, or cannot feel where its arms are.

Zeroed: black images, or the task's mean state (zero, as a normalizer sees it). Shuffled: those of
another moment, of another episode where there is one: in range, but wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kuavo_deploy.robot.topics import IMAGE_FEATURES
from kuavo_eval.offline.frames import Frame, FrameBatch

Change = Callable[[FrameBatch, np.ndarray], FrameBatch]
"""Takes a batch and its rows among all probe frames."""


def donors(owners: np.ndarray, seed: int) -> np.ndarray:
    """For each frame the row of another one, of another episode where there is one. Shape (N,).

    owners: shape (N,), each frame's episode.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(len(owners))
    found = np.empty(len(owners), np.int64)
    for row, owner in zip(rows, owners, strict=True):
        others = rows[owners != owner]
        others = others if len(others) else rows[rows != row]
        found[row] = rng.choice(others) if len(others) else row
    return found


def ablations(
    frames: Sequence[Frame], states: np.ndarray, mean: np.ndarray, seed: int
) -> dict[str, Change]:
    """All changes by name.

    Args:
        frames: all probe frames of a task, N of them.
        states: theirs, shape (N, 16).
        mean: the task's mean state, shape (16,).
        seed: of the shuffling.
    """
    others = donors(np.array([frame.episode for frame in frames]), seed)

    def black(*cameras: str) -> Change:
        def change(batch: FrameBatch, rows: np.ndarray) -> FrameBatch:
            images = [{**i, **{c: np.zeros_like(i[c]) for c in cameras}} for i in batch.images]
            return batch.with_images(images, cameras)

        return change

    def shuffled(*cameras: str) -> Change:
        def change(batch: FrameBatch, rows: np.ndarray) -> FrameBatch:
            images = [
                {**own, **{c: frames[others[row]].images[c] for c in cameras}}
                for own, row in zip(batch.images, rows, strict=True)
            ]
            return batch.with_images(images, cameras)

        return change

    changes = {"images_zeroed": black(*IMAGE_FEATURES.values())}
    changes["images_shuffled"] = shuffled(*IMAGE_FEATURES.values())
    for camera, feature in IMAGE_FEATURES.items():
        changes[f"{camera}_zeroed"] = black(feature)
        changes[f"{camera}_shuffled"] = shuffled(feature)
    changes["state_zeroed"] = lambda batch, rows: batch.with_states(np.tile(mean, (len(rows), 1)))
    changes["state_shuffled"] = lambda batch, rows: batch.with_states(states[others[rows]])
    return changes
