"""Replays one task's episodes through all policies: every frame decoded once, all of it batched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from kuavo_eval.offline.episodes import Damaged, Images, RecordedEpisode, Void
from kuavo_eval.offline.frames import Frame, FrameBatch, batch_of, decode
from kuavo_eval.offline.options import Options
from kuavo_eval.offline.plan import FramePlan
from kuavo_eval.offline.policies import OfflinePolicy

Advance = Callable[[int, str], None]


@dataclass
class Replayed:
    """What the policies did, by label and number of the episode.

    chunks: shape (n, T, 20), at the plan's `predict` frames. losses: shape (n, 2), sums and
    numbers of elements, at its `loss` frames. probes: decoded `probe` frames of all episodes.
    shown: a few frames of each episode. void: episodes whose images end too soon.
    """

    chunks: dict[str, dict[int, np.ndarray]]
    losses: dict[str, dict[int, np.ndarray]]
    probes: list[Frame] = field(default_factory=list)
    shown: dict[int, list[tuple[int, Images]]] = field(default_factory=dict)
    void: dict[int, Void] = field(default_factory=dict)


def replay(
    episodes: Sequence[RecordedEpisode],
    plan: FramePlan,
    policies: Sequence[OfflinePolicy],
    texts: Mapping[str, str],
    options: Options,
    advance: Advance,
) -> Replayed:
    """Run every policy over the planned frames of one task.

    Args:
        episodes: to replay.
        plan: which frames.
        policies: all see the same frames.
        texts: the task's instruction as each policy knows it, by label.
        options: see there.
        advance: told after each batch: frames × policies done, and a note.
    """
    predict = _Batches(options.batch)
    loss = _Batches(options.batch)
    labels = [policy.label for policy in policies]
    chunks: dict[str, list[np.ndarray]] = {label: [] for label in labels}
    losses: dict[str, list[np.ndarray]] = {label: [] for label in labels}
    places = _places(plan.loss)
    done = Replayed({}, {})

    def run_predict(frames: list[Frame]) -> None:
        batch = batch_of(frames, episodes, options.seed, [0] * len(frames))
        for policy in policies:
            told = [texts[policy.label]] * len(batch)
            chunks[policy.label].append(checked(policy, batch, told, 0))
            advance(len(batch), policy.label)

    def run_loss(frames: list[Frame]) -> None:
        where = [places[frame.episode, frame.index] for frame in frames]
        batch = batch_of(frames, episodes, options.seed, where)
        for policy in policies:
            found = policy.losses(batch, [texts[policy.label]] * len(batch))
            pairs = np.full((len(batch), 2), np.nan) if found is None else np.stack(found, axis=1)
            losses[policy.label].append(pairs)
            advance(len(batch), policy.label)

    with ThreadPoolExecutor(1) as pool:
        for number, episode in enumerate(episodes):
            wanted = plan.wanted(number)
            sets = [
                set(k[number].tolist()) for k in (plan.predict, plan.loss, plan.probe, plan.show)
            ]
            try:
                for frame in decode(episode, number, wanted, pool):
                    in_predict, in_loss, in_probe, in_show = (frame.index in s for s in sets)
                    if in_predict:
                        predict.add(frame, run_predict)
                    if in_loss:
                        loss.add(frame, run_loss)
                    if in_probe:
                        done.probes.append(frame)
                    if in_show:
                        done.shown.setdefault(number, []).append((frame.index, frame.images))
            except Damaged as damage:
                done.void[number] = Void(episode.name, str(damage))
    predict.flush(run_predict)
    loss.flush(run_loss)
    done.probes = [frame for frame in done.probes if frame.episode not in done.void]
    for label in labels:
        done.chunks[label] = predict.by_episode(chunks[label], done.void)
        done.losses[label] = loss.by_episode(losses[label], done.void)
    return done


def checked(
    policy: OfflinePolicy, batch: FrameBatch, texts: Sequence[str], sample: int
) -> np.ndarray:
    """A policy's chunks, shape (N, T, 20).

    Raises:
        ValueError: another shape: that is a defect of the policy, not a bad score.
    """
    found = np.asarray(policy.predict(batch, texts, sample), np.float64)
    expected = (len(batch), policy.chunk_size, 20)
    if found.shape != expected:
        raise ValueError(f"{policy.label} gave chunks of shape {found.shape}, not {expected}")
    return found


class _Batches:
    """Collects frames of any episodes until there are enough for a forward pass."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: list[Frame] = []
        self._owners: list[int] = []

    def add(self, frame: Frame, run: Callable[[list[Frame]], None]) -> None:
        self._waiting.append(frame)
        self._owners.append(frame.episode)
        if len(self._waiting) == self._size:
            self.flush(run)

    def flush(self, run: Callable[[list[Frame]], None]) -> None:
        if self._waiting:
            run(self._waiting)
            self._waiting = []

    def by_episode(
        self, results: Sequence[np.ndarray], void: Mapping[int, Void]
    ) -> dict[int, np.ndarray]:
        """Results of all batches, in order, taken apart again; void episodes left out."""
        if not results:
            return {}
        joined, owners = np.concatenate(results), np.array(self._owners)
        return {int(e): joined[owners == e] for e in np.unique(owners) if int(e) not in void}


def _places(loss: Sequence[np.ndarray]) -> dict[tuple[int, int], int]:
    """Each loss frame's place among all, as training's validation numbers them."""
    pairs = [(episode, int(frame)) for episode, frames in enumerate(loss) for frame in frames]
    return {pair: place for place, pair in enumerate(pairs)}
