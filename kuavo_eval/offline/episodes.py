"""A recorded episode, wherever it comes from: numbers in memory, images on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from kuavo_train.data.features import FPS
from kuavo_train.tasks import Task

__all__ = ["FPS", "Damaged", "Images", "RecordedEpisode", "Recording", "Void", "content_key"]

Images = Mapping[str, np.ndarray]
"""By camera feature, uint8 RGB of shape (H, W, 3)."""


class Damaged(Exception):
    """An episode that cannot be replayed; the message says why."""


@dataclass(frozen=True)
class RecordedEpisode:
    """One episode.

    key: SHA-256 of states and actions, as in a checkpoint's manifest. name: for people, e.g.
    "episode 3". states: shape (L, 16). actions: shape (L, 16 or 20), as recorded. images: an
    iterator over the images of all frames, in order; it raises `Damaged` where they end too soon.
    notes: repairs and the like.
    """

    task: Task
    key: str
    name: str
    states: np.ndarray
    actions: np.ndarray
    images: Callable[[], Iterator[Images]]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.states)

    def chunk(self, frame: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Recorded actions from a frame on, shape (steps, D), and which lie inside, (steps,)."""
        wanted = frame + np.arange(steps)
        return self.actions[np.minimum(wanted, len(self) - 1)], wanted < len(self)

    def chunks(self, frames: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """The same for several frames: shapes (N, steps, D) and (N, steps)."""
        wanted = np.asarray(frames)[:, None] + np.arange(steps)
        return self.actions[np.minimum(wanted, len(self) - 1)], wanted < len(self)


@dataclass(frozen=True)
class Void:
    """Something that got no score, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Recording:
    """All episodes of one source. void: what was in it and cannot be replayed."""

    task: Task
    path: str
    episodes: tuple[RecordedEpisode, ...]
    void: tuple[Void, ...] = field(default=())


def content_key(states: np.ndarray, actions: np.ndarray) -> str:
    """How manifests name an episode: SHA-256 over float32 states, then actions."""
    digest = hashlib.sha256(np.ascontiguousarray(states, np.float32).tobytes())
    digest.update(np.ascontiguousarray(actions, np.float32).tobytes())
    return digest.hexdigest()
