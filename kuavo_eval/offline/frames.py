"""Frames in batches: decoded once, whatever is done with them, a block ahead of their use."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kuavo_deploy.robot.topics import STATE_FEATURE
from kuavo_eval.offline.episodes import Images, RecordedEpisode
from kuavo_train.policy.preprocessing import image_tensor, state_tensor
from kuavo_train.tasks import Task

BLOCK = 32
"""Frames of an episode that are decoded ahead."""


@dataclass(frozen=True)
class FrameBatch:
    """N frames of one task, of any of its episodes.

    episodes: of each frame. frames: shape (N,), their places in them. images: of each frame.
    states: shape (N, 16). seed: of all noise. places: shape (N,), what fixes a frame's noise in
    the validation loss.
    """

    task: Task
    episodes: tuple[RecordedEpisode, ...]
    frames: np.ndarray
    images: tuple[Images, ...]
    states: np.ndarray
    seed: int
    places: np.ndarray
    _ready: dict[tuple[str, tuple[int, int]], list[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    def recorded(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Recorded chunks, shape (N, steps, D), and which steps lie inside, shape (N, steps)."""
        pairs = [e.chunk(int(f), steps) for e, f in zip(self.episodes, self.frames, strict=True)]
        return np.stack([actions for actions, _ in pairs]), np.stack([v for _, v in pairs])

    def observations(self, cameras: Sequence[str], size: tuple[int, int]) -> list[dict[str, Any]]:
        """What `kuavo_train.policy.preprocessing` makes of each frame, but for the instruction.

        Images are letterboxed once per size, however often and by whom the batch is used.
        """
        for camera in cameras:
            if (camera, size) not in self._ready:
                self._ready[camera, size] = [image_tensor(i[camera], size) for i in self.images]
        return [
            {
                **{camera: self._ready[camera, size][n] for camera in cameras},
                STATE_FEATURE: state_tensor(self.states[n]),
            }
            for n in range(len(self))
        ]

    def with_states(self, states: np.ndarray) -> FrameBatch:
        """The same with other states, shape (N, 16)."""
        return dataclasses.replace(self, states=np.asarray(states, np.float32))

    def with_images(self, images: Sequence[Images], changed: Sequence[str]) -> FrameBatch:
        """The same with other images of the cameras `changed`."""
        ready = {key: done for key, done in self._ready.items() if key[0] not in changed}
        return dataclasses.replace(self, images=tuple(images), _ready=ready)


@dataclass(frozen=True)
class Frame:
    """One decoded frame. episode: its number among those scored."""

    episode: int
    index: int
    images: Images


def batch_of(
    frames: Sequence[Frame], episodes: Sequence[RecordedEpisode], seed: int, places: Sequence[int]
) -> FrameBatch:
    """Put decoded frames together."""
    owners = tuple(episodes[frame.episode] for frame in frames)
    indices = np.array([frame.index for frame in frames])
    return FrameBatch(
        task=owners[0].task,
        episodes=owners,
        frames=indices,
        images=tuple(frame.images for frame in frames),
        states=np.stack([e.states[i] for e, i in zip(owners, indices, strict=True)]),
        seed=seed,
        places=np.asarray(places),
    )


def decode(
    episode: RecordedEpisode, number: int, wanted: np.ndarray, pool: ThreadPoolExecutor
) -> Iterator[Frame]:
    """The wanted frames of an episode, in order; the next block is decoded meanwhile.

    Args:
        episode: what to decode.
        number: its number among those scored.
        wanted: ascending frame indices.
        pool: one thread is enough.

    Raises:
        Damaged: see `RecordedEpisode.images`.
    """
    if not len(wanted):
        return
    keep = set(wanted.tolist())
    stream = itertools.islice(enumerate(episode.images()), int(wanted[-1]) + 1)

    def block() -> list[Frame]:
        found = list(itertools.islice(stream, BLOCK))
        return [Frame(number, i, images) for i, images in found if i in keep] if found else _END

    ahead = pool.submit(block)
    while (frames := ahead.result()) is not _END:
        ahead = pool.submit(block)
        yield from frames


_END: list[Frame] = []
