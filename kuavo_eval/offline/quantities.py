"""One policy on one task: every figure with its unit and interval, named by a dotted path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuavo_deploy.robot.layout import ACTION_NAMES, MOVE
from kuavo_eval.metrics.horizon import HorizonErrors
from kuavo_eval.metrics.instruction_matrix import identification
from kuavo_eval.metrics.normalized_error import normalized
from kuavo_eval.metrics.parts import YAW, parts_of
from kuavo_eval.offline.episode_scores import EpisodeScores, StreamErrors
from kuavo_eval.offline.episodes import FPS
from kuavo_eval.offline.probes import Probed
from kuavo_eval.offline.ratios import Ratios
from kuavo_eval.offline.scores import OfflineScores, PolicyOnTask, TaskData, weighed
from kuavo_eval.statistics.quantity import FRACTION, Quantity

RAD, METRE, SECOND = "rad", "m", "s"
HAND = FRACTION
"""Of a hand's way from open to closed."""
_BASE = {"position": [16, 17], "yaw": [YAW], "move": [MOVE]}
_BASE_UNITS = {"position": METRE, "yaw": RAD, "move": ""}


def quantities(scores: OfflineScores, label: str, task: str) -> dict[str, Quantity]:
    """All figures that were asked for; without a value when the task is void."""
    data, result = scores.data[task], scores.results[label][task]
    ratios = Ratios(len(data.episodes), result.void)
    ratios.add("error", *scores.error_sums(label, task), FRACTION)
    ratios.add("loss", *scores.loss_sums(label, task), "")
    if result.episodes:
        _errors(ratios, scores, data, result)
        _streams(ratios, data, result.episodes)
        _hands(ratios, result.episodes, data)
        _smoothness(ratios, result.episodes)
        _safety(ratios, result.episodes)
    if result.probed is not None and not result.void:
        _sampling(ratios, result.probed)
        _language(ratios, result.probed, task)
        _modalities(ratios, result.probed)
    found = ratios.quantities(scores.seed_of(task))
    if result.probed is not None and result.probed.by_language is not None and not result.void:
        found["instruction.sensitivity"] = _sensitivity(found, result.probed)
    return found


def unit_of(joint: int) -> str:
    """Of one of the 20 numbers."""
    if joint == MOVE:
        return ""
    if joint in (16, 17):
        return METRE
    return HAND if joint in (7, 15) else RAD


def _errors(ratios: Ratios, scores: OfflineScores, data: TaskData, result: PolicyOnTask) -> None:
    errors = [episode.horizon.first(scores.steps) for episode in result.episodes]
    sums = np.stack([e.sums.sum(axis=0) for e in errors])
    counts = np.array([e.counts.sum() for e in errors], float)
    for part, indices in parts_of(len(data.spread)).items():
        ratios.add(f"{part}.normalized", *weighed(errors, data.spread, indices), FRACTION)
        if part != "base":
            ratios.add(f"{part}.mae", sums[:, indices].mean(axis=1), counts, unit_of(indices[0]))
    if len(data.spread) > MOVE:
        for name, indices in _BASE.items():
            ratios.add(f"base.{name}", sums[:, indices].mean(axis=1), counts, _BASE_UNITS[name])
    scaled = normalized(sums, data.spread)
    for joint in range(len(data.spread)):
        ratios.add(f"joints.{ACTION_NAMES[joint]}.mae", sums[:, joint], counts, unit_of(joint))
        ratios.add(f"joints.{ACTION_NAMES[joint]}.normalized", scaled[:, joint], counts, FRACTION)
    ours, _ = weighed(errors, data.spread)
    for name, episodes in data.baselines.items():
        theirs, _ = weighed([e.first(scores.steps) for e in episodes], data.spread)
        ratios.add(f"skill.{name}", theirs - ours, theirs, "")


def _streams(ratios: Ratios, data: TaskData, episodes: Sequence[EpisodeScores]) -> None:
    for name, streams in (
        ("stream", [e.whole for e in episodes]),
        ("critical", [e.critical for e in episodes]),
    ):
        sums = np.stack([s.sums for s in streams])
        counts = np.array([s.count for s in streams], float)
        for part, indices in parts_of(len(data.spread)).items():
            if part != "base":
                mean = sums[:, indices].mean(axis=1)
                ratios.add(f"{name}.{part}", mean, counts, unit_of(indices[0]))
        ratios.add(
            f"{name}.error", *weighed(list(map(_as_horizon, streams)), data.spread), FRACTION
        )
    frames = np.array([e.warping.frames for e in episodes], float)
    for figure, unit in (("error", RAD), ("timing", SECOND), ("lag", SECOND)):
        sums = np.array([getattr(e.warping, figure) for e in episodes])
        ratios.add(f"critical.warped_{figure}", sums, frames, unit)
    inside = np.array([e.critical.count for e in episodes], float)
    ratios.add("critical.share", inside, [e.whole.count for e in episodes], FRACTION)


def _as_horizon(stream: StreamErrors) -> HorizonErrors:
    return HorizonErrors(stream.sums[None], np.array([stream.count]))


def _hands(ratios: Ratios, episodes: Sequence[EpisodeScores], data: TaskData) -> None:
    hands = [episode.hands for episode in episodes]
    matched = np.array([h.matched for h in hands], float)
    predicted = np.array([h.predicted for h in hands], float)
    recorded = np.array([h.recorded for h in hands], float)
    ratios.add("hand_timing.precision", matched, predicted, FRACTION)
    ratios.add("hand_timing.recall", matched, recorded, FRACTION)
    ratios.add("hand_timing.f1", 2 * matched, predicted + recorded, FRACTION)
    ratios.add("hand_timing.lag", [sum(h.lags) for h in hands], matched, SECOND)
    minutes = [len(episode) / FPS / 60 for episode in data.episodes]
    ratios.add("hand_timing.chatter", [h.chatter for h in hands], minutes, "per minute")


def _smoothness(ratios: Ratios, episodes: Sequence[EpisodeScores]) -> None:
    for name in ("sparc", "ldlj"):
        ours = np.array([getattr(e.smoothness, name) for e in episodes])
        theirs = np.array([getattr(e.smoothness, f"{name}_recorded") for e in episodes])
        ratios.mean(f"smoothness.{name}", ours, "")
        ratios.mean(f"smoothness.{name}_recorded", theirs, "")
        ratios.mean(f"smoothness.{name}_change", ours - theirs, "")


def _safety(ratios: Ratios, episodes: Sequence[EpisodeScores]) -> None:
    boundaries = [len(e.jumps) for e in episodes]
    ratios.add("boundaries.jump", [e.jumps.sum() for e in episodes], boundaries, RAD)
    recorded = [e.jumps_recorded.sum() for e in episodes]
    ratios.add("boundaries.recorded", recorded, boundaries, RAD)
    for suffix, found in (
        ("", [e.violations for e in episodes]),
        ("_recorded", [e.violations_recorded for e in episodes]),
    ):
        commands, steps = [v.commands for v in found], [v.steps for v in found]
        ratios.add(f"violations.position{suffix}", [v.position for v in found], commands, FRACTION)
        ratios.add(f"violations.velocity{suffix}", [v.velocity for v in found], steps, FRACTION)
        ratios.add(f"violations.hands{suffix}", [v.hands for v in found], commands, FRACTION)


def _sampling(ratios: Ratios, probed: Probed) -> None:
    for part, found in probed.sampling.items():
        if part == "base":
            continue
        unit = RAD if part == "arms" else HAND
        for name in ("mean", "best", "spread"):
            ratios.per_frame(f"sampling.{part}_{name}", getattr(found, name), probed.owners, unit)


def _language(ratios: Ratios, probed: Probed, task: str) -> None:
    if not probed.told:
        return
    names = list(probed.told)
    errors = np.stack(list(probed.told.values()), axis=1)
    hits = identification(errors, names.index(task))
    ratios.per_frame("instruction.identified", hits, probed.owners, FRACTION)
    for name, error in probed.told.items():
        ratios.per_frame(f"instruction.told.{name}", error, probed.owners, FRACTION)
    assert probed.blank is not None
    ratios.per_frame("instruction.blank", probed.blank, probed.owners, FRACTION)
    for number, error in enumerate(probed.paraphrased):
        ratios.per_frame(f"instruction.paraphrases.{number}", error, probed.owners, FRACTION)
    if probed.by_language is not None and probed.by_noise is not None:
        size = ratios.episodes
        moved = np.bincount(probed.owners, probed.by_language, size)
        by_noise = np.bincount(probed.owners, probed.by_noise, size)
        ratios.add("instruction.sensitivity", moved, by_noise, "times")


def _sensitivity(found: dict[str, Quantity], probed: Probed) -> Quantity:
    """What a ratio cannot say: nothing moves at all, or only language does."""
    assert probed.by_language is not None
    if not probed.by_language.any():
        return Quantity(0.0, "times", why="the actions are the same under every instruction")
    if probed.by_noise is None or not probed.by_noise.any():
        return Quantity(None, "times", why="the policy is deterministic: noise moves nothing")
    return found["instruction.sensitivity"]


def _modalities(ratios: Ratios, probed: Probed) -> None:
    size = ratios.episodes
    intact = np.bincount(probed.owners, probed.intact, size)
    for name, error in probed.ablated.items():
        ratios.add(f"modalities.{name}", np.bincount(probed.owners, error, size), intact, "times")
