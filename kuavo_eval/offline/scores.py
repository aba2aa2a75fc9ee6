"""The result of an offline evaluation: per policy and task, sums per episode and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kuavo_eval.metrics.horizon import HorizonErrors
from kuavo_eval.metrics.normalized_error import normalized
from kuavo_eval.offline.episode_scores import EpisodeScores
from kuavo_eval.offline.episodes import Images, RecordedEpisode, Void
from kuavo_eval.offline.lineage import Selection
from kuavo_eval.offline.options import Options
from kuavo_eval.offline.policies import OfflinePolicy
from kuavo_eval.offline.probes import Probed
from kuavo_eval.statistics.bootstrap import bootstrap_ratio
from kuavo_eval.statistics.quantity import FRACTION, Quantity
from kuavo_train.tasks import Task


@dataclass
class TaskData:
    """One task's recordings, as they were scored.

    episodes: scored ones, none of them void. range, spread: see `Demonstrations`. baselines: by
    name, of each episode, for the longest chunk. shown: frames and images of each episode that a
    report may show.
    """

    task: Task
    path: str
    episodes: list[RecordedEpisode]
    selection: Selection
    void: list[Void]
    range: np.ndarray
    spread: np.ndarray
    demonstrations: int
    every: int
    frames: int
    baselines: dict[str, list[HorizonErrors]] = field(default_factory=dict)
    shown: list[list[tuple[int, Images]]] = field(default_factory=list)
    intervals: list[tuple[Any, ...]] = field(default_factory=list)
    annotated: int = 0


@dataclass
class PolicyOnTask:
    """One policy on one task. void: why it gets no score ('' where it does).

    episodes: in the order of `TaskData.episodes`, empty when void or not asked for. losses:
    shape (E, 2), sums and numbers of elements per episode.
    """

    void: str = ""
    episodes: list[EpisodeScores] = field(default_factory=list)
    losses: np.ndarray | None = None
    probed: Probed | None = None


class OfflineScores:
    """Scores of several policies on the same episodes.

    Attributes:
        policies: what was scored.
        options: how.
        steps: of the chunk that errors cover: the shortest policy's, so that all are comparable.
        data: by task name.
        results: by label, then task name.
        told_apart: tasks told apart by image alone: (names, accuracy), see `image_identity`.
    """

    def __init__(
        self,
        policies: Sequence[OfflinePolicy],
        options: Options,
        data: Mapping[str, TaskData],
        results: Mapping[str, Mapping[str, PolicyOnTask]],
        told_apart: tuple[list[str], np.ndarray],
    ) -> None:
        self.policies = list(policies)
        self.options = options
        self.steps = min(policy.chunk_size for policy in policies)
        self.data = dict(data)
        self.results = {label: dict(of) for label, of in results.items()}
        self.told_apart = told_apart

    @property
    def labels(self) -> list[str]:
        """One per policy, in the order given."""
        return [policy.label for policy in self.policies]

    @property
    def tasks(self) -> list[str]:
        """Names of what was scored, in the order of the curriculum."""
        return list(self.data)

    def episodes(self, task: str) -> list[str]:
        """Content hashes of the scored episodes."""
        return [episode.key for episode in self.data[task].episodes]

    def void(self, label: str, task: str) -> str:
        """Why there is no score; '' where there is."""
        return self.results[label][task].void

    def error_sums(self, label: str, task: str) -> tuple[np.ndarray, np.ndarray]:
        """Normalized error per episode: its sum over targets and their number, shape (E,) each.

        The mean over the joints that the task moves; NaN when void or not asked for.
        """
        found = self.results[label][task].episodes
        if not found:
            return self._nothing(task)
        return weighed([e.horizon.first(self.steps) for e in found], self.data[task].spread)

    def loss_sums(self, label: str, task: str) -> tuple[np.ndarray, np.ndarray]:
        """Flow loss per episode: sum over elements and their number, shape (E,) each."""
        found = self.results[label][task].losses
        if found is None or self.void(label, task):
            return self._nothing(task)
        return found[:, 0], found[:, 1]

    def error(self, label: str, task: str) -> Quantity:
        """Normalized error, as a share of the demonstrated range, with its interval."""
        return self._mean(label, task, self.error_sums(label, task), FRACTION)

    def loss(self, label: str, task: str) -> Quantity:
        """Validation loss with fixed noise and times, with its interval."""
        return self._mean(label, task, self.loss_sums(label, task), "")

    def document(self) -> dict[str, Any]:
        """Everything as plain values, for `scores.json`."""
        from kuavo_eval.offline.document import document

        return document(self)

    def seed_of(self, task: str) -> int:
        """Of the resampling: tasks are drawn independently, policies together."""
        return self.options.seed + self.data[task].task.id

    def _mean(
        self, label: str, task: str, pair: tuple[np.ndarray, np.ndarray], unit: str
    ) -> Quantity:
        if why := self.void(label, task):
            return Quantity(None, unit, n=len(self.data[task].episodes), of="episodes", why=why)
        return bootstrap_ratio(*pair, seed=self.seed_of(task)).quantity(unit)

    def _nothing(self, task: str) -> tuple[np.ndarray, np.ndarray]:
        count = len(self.data[task].episodes)
        return np.full(count, np.nan), np.full(count, np.nan)


def weighed(
    errors: Sequence[HorizonErrors], spread: np.ndarray, indices: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Normalized error per episode: sums and counts, shape (E,) each.

    Args:
        errors: of each episode.
        spread: shape (D,).
        indices: which joints; default: all. Those that stand still never count.
    """
    scaled = normalized(np.stack([e.sums.sum(axis=0) for e in errors]), spread)
    if indices is not None:
        scaled = scaled[:, list(indices)]
    moved = ~np.isnan(scaled).any(axis=0)
    counts = np.array([e.counts.sum() for e in errors], np.float64)
    if not moved.any():
        return np.full(len(errors), np.nan), counts
    return scaled[:, moved].mean(axis=1), counts
