"""What stands in `scores.json` of an offline evaluation."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from kuavo_deploy.robot.layout import ACTION_NAMES
from kuavo_eval.metrics.horizon import HorizonErrors
from kuavo_eval.metrics.normalized_error import normalized
from kuavo_eval.metrics.parts import parts_of
from kuavo_eval.offline.episodes import FPS
from kuavo_eval.offline.findings import findings
from kuavo_eval.offline.limits_of_loss import loss_limits
from kuavo_eval.offline.policies import CheckpointPolicy, OfflinePolicy
from kuavo_eval.offline.quantities import quantities, unit_of
from kuavo_eval.offline.scores import OfflineScores, TaskData, weighed
from kuavo_eval.statistics.bootstrap import bootstrap_ratio, combined
from kuavo_eval.statistics.quantity import FRACTION, Quantity

SETTINGS = (
    "every", "loss_frames", "probe_frames", "samples", "batch", "seed", "replan_s", "allow_seen",
    "robot_version", "dtype",
)  # fmt: skip


def document(scores: OfflineScores) -> dict[str, Any]:
    """All results as plain values; see `docs/evaluation_offline.md` for the fields."""
    content = {
        "parts": list(scores.options.parts),
        "settings": {name: getattr(scores.options, name) for name in SETTINGS},
        "horizon_s": scores.steps / FPS,
        "instructions": len(_instructions(scores)),
        "chance": 1 / max(1, len(_instructions(scores))),
        "tasks": {name: _task(scores, data) for name, data in scores.data.items()},
        "checkpoints": {p.label: _checkpoint(scores, p) for p in scores.policies},
        "told_apart": _told_apart(scores),
    }
    return {**content, "findings": findings(content)}


def _instructions(scores: OfflineScores) -> list[str]:
    """Names of the tasks whose instructions were tried."""
    for results in scores.results.values():
        for result in results.values():
            if result.probed is not None and result.probed.told:
                return list(result.probed.told)
    return []


def _task(scores: OfflineScores, data: TaskData) -> dict[str, Any]:
    seen_by = {
        key: [label for label, keys in data.selection.seen.items() if key in keys]
        for key in data.selection.seen_keys
    }
    chosen = {k for p in scores.policies if isinstance(p, CheckpointPolicy) for k in p.held_out}
    return {
        "id": data.task.id,
        "name_zh": data.task.name_zh,
        "instruction": data.task.instruction,
        "source": data.path,
        "episodes": len(data.episodes),
        "frames": sum(len(episode) for episode in data.episodes),
        "seconds": sum(len(episode) for episode in data.episodes) / FPS,
        "predictions": data.frames,
        "every": data.every,
        "refused": len(data.selection.refused),
        "seen": sum(episode.key in seen_by for episode in data.episodes),
        "chosen_on": sum(episode.key in chosen for episode in data.episodes),
        "demonstrations": data.demonstrations,
        "annotated": data.annotated,
        "void": [dataclasses.asdict(void) for void in data.void],
        "scored": [
            {
                "name": episode.name,
                "sha256": episode.key,
                "seconds": len(episode) / FPS,
                "seen_by": seen_by.get(episode.key, []),
                "notes": list(episode.notes),
                "intervals": [i._asdict() for i in intervals],
            }
            for episode, intervals in zip(data.episodes, data.intervals, strict=True)
        ],
        "joints": [
            {
                "name": ACTION_NAMES[joint],
                "range": {"value": float(data.range[joint]), "unit": unit_of(joint)},
                "moves": bool(data.spread[joint] > 0),
            }
            for joint in range(len(data.spread))
        ],
        "baselines": _baselines(scores, data),
    }


def _baselines(scores: OfflineScores, data: TaskData) -> dict[str, Any]:
    """Errors of what a policy has to beat."""
    found = {}
    for name, episodes in data.baselines.items():
        cut = [errors.first(scores.steps) for errors in episodes]
        sums, counts = weighed(cut, data.spread)
        seed = scores.seed_of(data.task.name)
        found[name] = {
            "error": bootstrap_ratio(sums, counts, seed=seed).quantity(FRACTION).as_dict(),
            "horizon": _curves(episodes, data),
        }
    return found


def _checkpoint(scores: OfflineScores, policy: OfflinePolicy) -> dict[str, Any]:
    limits = {}
    about: dict[str, Any] = {"chunk": policy.chunk_size, "trained_on": sorted(policy.instructions)}
    if isinstance(policy, CheckpointPolicy):
        about |= {"path": str(policy.path), "stage": policy.manifest.lineage.stage}
        limits = loss_limits(policy.path, policy.manifest.lineage)
    tasks = {name: _scored(scores, policy.label, name, limits.get(name)) for name in scores.tasks}
    return {**about, "tasks": tasks, "macro": _macro(scores, policy.label)}


def _scored(scores: OfflineScores, label: str, task: str, limit: float | None) -> dict[str, Any]:
    data, result = scores.data[task], scores.results[label][task]
    found = quantities(scores, label, task)
    content = nested({name: quantity.as_dict() for name, quantity in found.items()})
    content["void"] = result.void
    loss = found["loss"].value
    content["loss_limit"] = limit
    content["loss_met"] = None if limit is None or loss is None else bool(loss < limit)
    if result.episodes:
        content["horizon"] = _curves([episode.horizon for episode in result.episodes], data)
        jumps = [episode.jumps.max(initial=0.0) for episode in result.episodes]
        content["boundaries"]["largest"] = Quantity(float(max(jumps)), "rad").as_dict()
        hands = [episode.hands for episode in result.episodes]
        content["hand_timing"] |= {
            name: sum(getattr(h, name) for h in hands)
            for name in ("recorded", "predicted", "matched")
        }
    return content


def _macro(scores: OfflineScores, label: str) -> dict[str, Any]:
    """The average over tasks, every task weighing the same; none if one of them is void."""
    voids = [task for task in scores.tasks if scores.void(label, task)]
    if voids:
        why = f"no average: {', '.join(voids)} void"
        return {
            "error": Quantity(None, FRACTION, why=why).as_dict(),
            "loss": Quantity(None, "", why=why).as_dict(),
        }
    return {
        name: combined(
            lambda *parts: np.mean(parts, axis=0),
            *[bootstrap_ratio(*sums(label, t), seed=scores.seed_of(t)) for t in scores.tasks],
        )
        .quantity(unit)
        .as_dict()
        for name, sums, unit in (
            ("error", scores.error_sums, FRACTION),
            ("loss", scores.loss_sums, ""),
        )
    }


def _curves(episodes: list[HorizonErrors], data: TaskData) -> dict[str, list[float]]:
    """MAE(h) of each part over the steps of a chunk, and of all joints normalized."""
    total = sum(episodes[1:], episodes[0])
    curve = total.curve()
    found = {
        part: curve[:, indices].mean(axis=1).tolist()
        for part, indices in parts_of(len(data.spread)).items()
        if part != "base"
    }
    scaled = normalized(curve, data.spread)
    moved = ~np.isnan(normalized(np.ones(len(data.spread)), data.spread))
    found["normalized"] = scaled[:, moved].mean(axis=1).tolist() if moved.any() else []
    return found


def _told_apart(scores: OfflineScores) -> dict[str, Any]:
    """Balanced accuracy of telling two tasks apart by image; None where it cannot be measured."""
    names, accuracy = scores.told_apart
    return {
        one: {
            other: None
            if one == other or np.isnan(accuracy[i, k])
            else {"value": float(accuracy[i, k]), "unit": FRACTION}
            for k, other in enumerate(names)
        }
        for i, one in enumerate(names)
    }


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """{"a.b": 1} → {"a": {"b": 1}}."""
    found: dict[str, Any] = {}
    for path, value in flat.items():
        *folders, name = path.split(".")
        place = found
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = value
    return found
