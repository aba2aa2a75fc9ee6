"""A few frames of a task, tried many times: other noise, other instructions, blinded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kuavo_eval.metrics.flow_sampling import FlowSampling, flow_sampling
from kuavo_eval.metrics.instruction_matrix import moved_by
from kuavo_eval.metrics.normalized_error import frame_errors
from kuavo_eval.metrics.parts import parts_of, still_below
from kuavo_eval.offline import options as parts
from kuavo_eval.offline.ablations import ablations
from kuavo_eval.offline.episodes import RecordedEpisode
from kuavo_eval.offline.frames import Frame, FrameBatch, batch_of
from kuavo_eval.offline.options import Options
from kuavo_eval.offline.policies import OfflinePolicy
from kuavo_eval.offline.replay import Advance, checked
from kuavo_train.tasks import Task, TaskRegistry


@dataclass
class Probed:
    """One policy on the probe frames of one task, N of them. Errors are normalized, shape (N,).

    owners: each frame's episode. intact: error as it is. sampling: by part. told: error under
    each task's instruction, the own one among them. blank: without one. paraphrased: under other
    wordings of the own one. by_language, by_noise: how far the chunk moves. ablated: by change.
    finite: whether every prediction was.
    """

    owners: np.ndarray
    intact: np.ndarray
    sampling: dict[str, FlowSampling] = field(default_factory=dict)
    told: dict[str, np.ndarray] = field(default_factory=dict)
    blank: np.ndarray | None = None
    paraphrased: list[np.ndarray] = field(default_factory=list)
    by_language: np.ndarray | None = None
    by_noise: np.ndarray | None = None
    ablated: dict[str, np.ndarray] = field(default_factory=dict)
    finite: bool = True


class Prober:
    """Tries the probe frames of one task with one policy after another.

    Args:
        task: whose frames.
        registry: all tasks: their instructions are tried.
        frames: the probe frames.
        episodes: they come from these.
        spread: of the task's demonstrated actions, shape (D,).
        mean_state: of its demonstrations, shape (16,).
        options: see there.
        advance: told after each batch.
    """

    def __init__(
        self,
        task: Task,
        registry: TaskRegistry,
        frames: Sequence[Frame],
        episodes: Sequence[RecordedEpisode],
        spread: np.ndarray,
        mean_state: np.ndarray,
        options: Options,
        advance: Advance,
    ) -> None:
        self._task, self._registry, self._options, self._advance = task, registry, options, advance
        self._spread = spread
        self._frames = list(frames)
        rows = np.arange(len(frames))
        self._rows = [rows[i : i + options.batch] for i in range(0, len(rows), options.batch)]
        self._batches = [
            batch_of([frames[i] for i in part], episodes, options.seed, part.tolist())
            for part in self._rows
        ]
        states = np.concatenate([batch.states for batch in self._batches])
        self._changes = ablations(self._frames, states, mean_state, options.seed)
        self._owners = np.array([frame.episode for frame in frames])

    def probe(self, policy: OfflinePolicy) -> Probed:
        """Everything that the options ask for."""
        recorded, valid = self._recorded(policy.chunk_size)
        own = instruction(policy, self._task)
        samples = self._samples(policy, own)
        found = Probed(self._owners, frame_errors(samples[0], recorded, valid, self._spread))
        found.finite = bool(np.isfinite(samples).all())
        if self._options.has(parts.SAMPLING):
            dim = recorded.shape[-1]
            found.sampling = {
                part: flow_sampling(samples, recorded, valid, indices)
                for part, indices in parts_of(dim).items()
            }
        if self._options.has(parts.LANGUAGE):
            self._language(found, policy, samples, recorded, valid)
        if self._options.has(parts.MODALITIES):
            for name, chunks in self._blinded(policy, own).items():
                found.finite &= bool(np.isfinite(chunks).all())
                found.ablated[name] = frame_errors(chunks, recorded, valid, self._spread)
        return found

    def _language(
        self,
        found: Probed,
        policy: OfflinePolicy,
        samples: np.ndarray,
        recorded: np.ndarray,
        valid: np.ndarray,
    ) -> None:
        own = samples[0]
        others = {
            task.name: self._predicted(policy, instruction(policy, task), 0)
            for task in self._registry.values()
            if task.name != self._task.name
        }
        blank = self._predicted(policy, "", 0)
        reworded = [
            self._predicted(policy, text, 0)
            for text in self._options.paraphrases.get(self._task.name, ())
        ]

        def error(chunks: np.ndarray) -> np.ndarray:
            found.finite &= bool(np.isfinite(chunks).all())
            return frame_errors(chunks, recorded, valid, self._spread)

        found.told = {
            name: found.intact if name == self._task.name else error(others[name])
            for name in self._registry
        }
        found.blank = error(blank)
        found.paraphrased = [error(chunks) for chunks in reworded]
        scale = np.maximum(self._spread, still_below(len(self._spread)))
        if others:
            found.by_language = moved_by(np.stack(list(others.values())), own, scale)
        if len(samples) > 1:
            found.by_noise = moved_by(samples[1:], own, scale)

    def _samples(self, policy: OfflinePolicy, own: str) -> np.ndarray:
        """Shape (K, N, T, 20); batch by batch, so that a policy need not look K times."""
        drawn = range(self._options.samples if repeats(self._options) else 1)
        parts = [
            np.stack([self._run(policy, batch, own, sample) for sample in drawn])
            for batch in self._batches
        ]
        return np.concatenate(parts, axis=1)

    def _blinded(self, policy: OfflinePolicy, own: str) -> dict[str, np.ndarray]:
        """Chunks after each change, shape (N, T, 20)."""
        found: dict[str, list[np.ndarray]] = {name: [] for name in self._changes}
        for batch, rows in zip(self._batches, self._rows, strict=True):
            for name, change in self._changes.items():
                found[name].append(self._run(policy, change(batch, rows), own, 0))
        return {name: np.concatenate(chunks) for name, chunks in found.items()}

    def _predicted(self, policy: OfflinePolicy, text: str, sample: int) -> np.ndarray:
        """Chunks of all probe frames, shape (N, T, 20)."""
        return np.concatenate([self._run(policy, batch, text, sample) for batch in self._batches])

    def _run(self, policy: OfflinePolicy, batch: FrameBatch, text: str, sample: int) -> np.ndarray:
        chunks = checked(policy, batch, [text] * len(batch), sample)
        self._advance(len(batch), policy.label)
        return chunks

    def _recorded(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        pairs = [batch.recorded(steps) for batch in self._batches]
        return np.concatenate([a for a, _ in pairs]), np.concatenate([v for _, v in pairs])


def instruction(policy: OfflinePolicy, task: Task) -> str:
    """What a policy is told to do a task: the wording that it was trained with, as on the robot."""
    return policy.instructions.get(task.name, task.instruction)


def repeats(options: Options) -> bool:
    """Whether frames are sampled more than once."""
    return options.has(parts.SAMPLING) or options.has(parts.LANGUAGE)


def passes(options: Options, task: Task, registry: Mapping[str, Task]) -> int:
    """How often each probe frame is run, for the progress bar."""
    if not any(map(options.has, (parts.SAMPLING, parts.LANGUAGE, parts.MODALITIES))):
        return 0
    count = options.samples if repeats(options) else 1
    if options.has(parts.LANGUAGE):
        count += len(registry) - 1 + 1 + len(options.paraphrases.get(task.name, ()))
    if options.has(parts.MODALITIES):
        count += 10
    return count
