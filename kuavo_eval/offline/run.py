"""Scores policies on recorded episodes, task after task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kuavo_cli.errors import UserError
from kuavo_cli.progress import Progress
from kuavo_deploy.robot.topics import IMAGE_FEATURES
from kuavo_deploy.robot.version import RobotLimits, load_limits
from kuavo_eval.metrics.critical_intervals import seeded_intervals
from kuavo_eval.metrics.image_identity import THUMBNAIL, told_apart
from kuavo_eval.offline import options as parts
from kuavo_eval.offline.demonstrations import Demonstrations
from kuavo_eval.offline.episode_scores import Setting, score_episode
from kuavo_eval.offline.episodes import FPS, Recording, Void
from kuavo_eval.offline.frames import Frame
from kuavo_eval.offline.lineage import Selection, select
from kuavo_eval.offline.options import Options
from kuavo_eval.offline.plan import FramePlan, plan_frames
from kuavo_eval.offline.policies import OfflinePolicy, open_policies
from kuavo_eval.offline.probes import Prober, instruction, passes
from kuavo_eval.offline.replay import Replayed, replay
from kuavo_eval.offline.scores import OfflineScores, PolicyOnTask, TaskData
from kuavo_eval.offline.sources import Source, open_source
from kuavo_train.errors import DataError
from kuavo_train.tasks import TaskRegistry, load_tasks
from kuavo_train.tasks.registry import configs_root


def score(
    policies: Sequence[Path | str | OfflinePolicy],
    sources: Sequence[Source | Recording],
    options: Options | None = None,
    pictures: bool = False,
) -> OfflineScores:
    """Score policies on the same recorded episodes.

    Args:
        policies: checkpoint folders (`DIR` or `NAME=DIR`) or policies; labels are unique.
        sources: at most one per task; what was opened before can be used again.
        options: see there.
        pictures: keep a few camera frames of each episode for a report.

    Raises:
        UserError: a checkpoint, a source or an option cannot be used, or nothing is left to score.
    """
    options = options or Options()
    registry = load_tasks()
    recordings = _opened(sources, registry, options)
    ready = _ready(policies, options)
    trained = {policy.label: policy.trained for policy in ready}
    selections = {
        name: select(recording, trained, options.allow_seen)
        for name, recording in recordings.items()
    }
    run = _Run(ready, options, registry, pictures)
    steps = min(policy.chunk_size for policy in ready)
    plans = {n: plan_frames(s.scored, options, pictures, steps) for n, s in selections.items()}
    with Progress("scoring", run.work(plans), unit="frames") as progress:
        run.advance = progress.advance
        try:
            for name, recording in recordings.items():
                run.task(recording, selections[name], plans[name])
        except DataError as error:
            raise UserError(str(error)) from error
    return OfflineScores(ready, options, run.data, run.results, run.told_apart())


def _opened(
    sources: Sequence[Source | Recording], registry: TaskRegistry, options: Options
) -> dict[str, Recording]:
    if not sources:
        raise UserError("nothing to score: --data TASK=DATASET or --task TASK", exit_code=2)
    found = [
        open_source(source, registry, options) if isinstance(source, Source) else source
        for source in sources
    ]
    names = [recording.task.name for recording in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"two sources for {', '.join(twice)}: one per task", exit_code=2)
    return {r.task.name: r for r in sorted(found, key=lambda r: r.task.id)}


def _ready(policies: Sequence[Path | str | OfflinePolicy], options: Options) -> list[OfflinePolicy]:
    if not policies:
        raise UserError("nothing to score: --checkpoint DIR", exit_code=2)
    folders = [policy for policy in policies if isinstance(policy, (str, Path))]
    loaded = iter(open_policies(folders, options.device, options.dtype))
    ready = [next(loaded) if isinstance(p, (str, Path)) else p for p in policies]
    short = [p.label for p in ready if p.chunk_size < options.every]
    if short:
        raise UserError(
            f"--every {options.every} leaves gaps: chunks of {', '.join(short)} have "
            f"{min(p.chunk_size for p in ready)} steps"
        )
    return ready


class _Run:
    """What is gathered task by task."""

    def __init__(
        self,
        policies: list[OfflinePolicy],
        options: Options,
        registry: TaskRegistry,
        pictures: bool,
    ) -> None:
        self.policies, self.options, self.registry = policies, options, registry
        self.pictures = pictures
        self.data: dict[str, TaskData] = {}
        self.results: dict[str, dict[str, PolicyOnTask]] = {p.label: {} for p in policies}
        self.advance = lambda frames, note: None
        self._limits = _limits(options.robot_version)
        self._thumbnails: list[np.ndarray] = []
        self._owners: list[tuple[int, str]] = []

    def work(self, plans: dict[str, FramePlan]) -> int:
        """Frames that go through a policy, for the progress bar."""
        total = 0
        for name, plan in plans.items():
            once = sum(map(len, (*plan.predict, *plan.loss)))
            often = sum(map(len, plan.probe))
            total += once + often * passes(self.options, self.registry[name], self.registry)
        return total * len(self.policies)

    def task(self, recording: Recording, selection: Selection, plan: FramePlan) -> None:
        """Replay one task's episodes and score them."""
        name, episodes = recording.task.name, selection.scored
        texts = {p.label: instruction(p, recording.task) for p in self.policies}
        done = replay(episodes, plan, self.policies, texts, self.options, self._tell)
        kept = [i for i in range(len(episodes)) if i not in done.void]
        void = [*recording.void, *done.void.values()]
        if not kept:
            raise UserError(f"task {name}: no episode can be replayed ({_reasons(void)})")
        demonstrations = Demonstrations(recording.episodes)
        intervals = [self.options.intervals.get(episodes[i].key) for i in kept]
        data = TaskData(
            task=recording.task,
            path=recording.path,
            episodes=[episodes[i] for i in kept],
            selection=selection,
            void=void,
            range=demonstrations.range,
            spread=demonstrations.spread,
            demonstrations=len(recording.episodes),
            every=plan.every,
            frames=sum(len(plan.predict[i]) for i in kept),
            shown=[done.shown.get(i, []) for i in kept],
            intervals=[
                tuple(seeded_intervals(episodes[i].actions, FPS)) if given is None else given
                for i, given in zip(kept, intervals, strict=True)
            ],
            annotated=sum(given is not None for given in intervals),
        )
        self.data[name] = data
        self._score(data, plan, done, kept)
        self._baselines(data, demonstrations, plan, kept)
        self._probe(data, done, kept, demonstrations)

    def _score(self, data: TaskData, plan: FramePlan, done: Replayed, kept: list[int]) -> None:
        setting = Setting(self._limits, max(1, round(self.options.replan_s * FPS)))
        for policy in self.policies:
            result = self.results[policy.label][data.task.name] = PolicyOnTask()
            chunks, losses = done.chunks[policy.label], done.losses[policy.label]
            result.void = _not_finite(data, kept, plan, chunks)
            if losses:
                result.losses = np.stack(
                    [losses.get(i, np.zeros((0, 2))).sum(axis=0) for i in kept]
                )
            if self.options.has(parts.ERROR) and not result.void:
                result.episodes = [
                    score_episode(episode, plan.predict[i], chunks[i], intervals, setting)
                    for i, episode, intervals in zip(
                        kept, data.episodes, data.intervals, strict=True
                    )
                ]

    def _baselines(
        self, data: TaskData, demonstrations: Demonstrations, plan: FramePlan, kept: list[int]
    ) -> None:
        if not self.options.has(parts.ERROR):
            return
        steps = max(policy.chunk_size for policy in self.policies)
        for i, episode in zip(kept, data.episodes, strict=True):
            found = demonstrations.baselines(episode, plan.predict[i], steps)
            for name, errors in found.items():
                data.baselines.setdefault(name, []).append(errors)

    def _probe(
        self, data: TaskData, done: Replayed, kept: list[int], demonstrations: Demonstrations
    ) -> None:
        if not done.probes:
            return
        frames = [Frame(kept.index(f.episode), f.index, f.images) for f in done.probes]
        self._look(data, frames)
        prober = Prober(
            data.task,
            self.registry,
            frames,
            data.episodes,
            demonstrations.spread,
            demonstrations.mean_state,
            self.options,
            self._tell,
        )
        for policy in self.policies:
            result = self.results[policy.label][data.task.name]
            probed = prober.probe(policy)
            if probed.finite:
                result.probed = probed
            elif not result.void:
                result.void = "predictions are not finite under other noise, text or images"

    def _look(self, data: TaskData, frames: Sequence[Frame]) -> None:
        size = (THUMBNAIL[1], THUMBNAIL[0])
        for frame in frames:
            small = [
                cv2.resize(frame.images[c], size, interpolation=cv2.INTER_AREA)
                for c in IMAGE_FEATURES.values()
            ]
            self._thumbnails.append(np.stack(small).astype(np.float64).ravel())
            self._owners.append((data.task.id, data.episodes[frame.episode].key))

    def told_apart(self) -> tuple[list[str], np.ndarray]:
        """Names and accuracies, see `metrics.image_identity`."""
        names = list(self.data)
        if not self._thumbnails:
            return names, np.full((len(names), len(names)), np.nan)
        ids = [data.task.id for data in self.data.values()]
        keys = sorted(set(self._owners))
        tasks = np.array([ids.index(task) for task, _ in self._owners])
        episodes = np.array([keys.index(owner) for owner in self._owners])
        return names, told_apart(np.stack(self._thumbnails), tasks, episodes, len(names))

    def _tell(self, frames: int, note: str) -> None:
        self.advance(frames, note)


def _not_finite(
    data: TaskData, kept: list[int], plan: FramePlan, chunks: dict[int, np.ndarray]
) -> str:
    """Why a policy gets no score on a task; one bad number is enough."""
    bad, first = 0, ""
    for i, episode in zip(kept, data.episodes, strict=True):
        if i in chunks:
            wrong = np.nonzero(~np.isfinite(chunks[i]).all(axis=(1, 2)))[0]
            if len(wrong) and not bad:
                first = f"{episode.name} frame {plan.predict[i][wrong[0]]}"
            bad += len(wrong)
    total = sum(map(len, chunks.values()))
    return f"predictions are not finite: {bad} of {total} chunks, first {first}" if bad else ""


def _reasons(void: Sequence[Void]) -> str:
    return "; ".join(f"{v.name}: {v.why}" for v in void[:3])


def _limits(version: int) -> RobotLimits:
    try:
        return load_limits(version, configs_root() / "robot")
    except ValueError as error:
        raise UserError(str(error), exit_code=2) from error
