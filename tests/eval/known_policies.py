"""Policies whose scores are known before they are scored; they run through the same seam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuavo_eval.metrics.baselines import hold
from kuavo_eval.offline.frames import FrameBatch
from kuavo_train.policy.action_space import to_unified
from kuavo_train.tasks import load_tasks

CHUNK = 8


class Oracle:
    """Returns the recorded actions, whatever it is told."""

    def __init__(self, label: str = "oracle", trained: set[str] | None = None) -> None:
        self.label, self.chunk_size = label, CHUNK
        self.instructions = {task.name: task.instruction for task in load_tasks().values()}
        self.trained = trained or set()
        self.batch_sizes: list[int] = []

    def predict(self, batch: FrameBatch, texts: Sequence[str], sample: int) -> np.ndarray:
        self.batch_sizes.append(len(batch))
        assert len(texts) == len(batch)
        recorded, _ = batch.recorded(self.chunk_size)
        return to_unified(np.asarray(recorded, np.float64)).copy()

    def losses(self, batch, texts):
        return None


class Off(Oracle):
    """The recorded actions plus a constant, on every number."""

    def __init__(self, by: float, label: str = "off") -> None:
        super().__init__(label)
        self.by = by

    def predict(self, batch, texts, sample):
        return super().predict(batch, texts, sample) + self.by


class Holding(Oracle):
    """Stays where it is."""

    def predict(self, batch, texts, sample):
        chunks = [
            hold(episode.states, episode.actions, self.chunk_size)[frame]
            for episode, frame in zip(batch.episodes, batch.frames, strict=True)
        ]
        return to_unified(np.stack(chunks))


class Obedient(Oracle):
    """Right when it is told the task that `means` says; otherwise 0.5 off, blank included."""

    def __init__(self, label: str = "obedient", means: dict[str, str] | None = None) -> None:
        super().__init__(label)
        self._means = {name: name for name in self.instructions} | (means or {})

    def predict(self, batch, texts, sample):
        chunks = super().predict(batch, texts, sample)
        meant = self.instructions[self._means[batch.task.name]]
        wrong = np.array([text != meant for text in texts])
        # a little noise, the same for the same sample: sensitivity needs a spread over seeds
        chunks += 0.01 * np.random.default_rng(sample).standard_normal(chunks.shape[1:])
        chunks[wrong] += 0.5
        return chunks


class Proprioceptive(Oracle):
    """Looks at the state alone."""

    def predict(self, batch, texts, sample):
        chunks = np.zeros((len(batch), self.chunk_size, 20))
        chunks[..., :16] = batch.states[:, None]
        return chunks


class NotFinite(Oracle):
    """One NaN in one chunk of one task."""

    def __init__(self, task: str) -> None:
        super().__init__("nan")
        self._task = task

    def predict(self, batch, texts, sample):
        chunks = super().predict(batch, texts, sample)
        if batch.task.name == self._task:
            chunks[batch.frames == 3, 2, 5] = np.nan
        return chunks
