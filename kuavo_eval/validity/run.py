"""Offline evaluations and trials of the same checkpoints, put side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kuavo_cli.errors import UserError
from kuavo_eval.comparison.sides import Side, all_sides
from kuavo_eval.folder import OFFLINE, TRIALS
from kuavo_eval.statistics import proxy_validity, wilson

MEASURES = ("error", "loss")


@dataclass
class Known:
    """What is known of one checkpoint. offline: measure → task → score. won: task → outcomes."""

    label: str
    sha256: str
    offline: dict[str, dict[str, float]] = field(default_factory=dict)
    won: dict[str, list[bool]] = field(default_factory=dict)


def validity(folders: Sequence[Path]) -> dict[str, Any]:
    """The document, without provenance.

    Args:
        folders: offline evaluations and folders of trials, in any order.

    Raises:
        UserError: a folder is neither, or no checkpoint has both.
    """
    known: dict[str, Known] = {}
    sources = set()
    for folder in folders:
        for side in all_sides(folder):
            if not side.sha256:
                raise UserError(f"{folder}: {side.label!r} does not say which weights it has")
            of = known.setdefault(side.sha256, Known(side.label, side.sha256))
            _add(of, side)
            sources |= {side.source} if side.kind == TRIALS else set()
    if len(sources) > 1:
        raise UserError(
            f"trials from {' and '.join(sorted(sources))}: their success means different things"
        )
    both = [one for one in known.values() if one.offline and one.won]
    if not both:
        raise UserError("no checkpoint has both an offline score and trials (matched by weights)")
    tasks = [t for t in both[0].won if all(t in one.won and t in _scored(one) for one in both)]
    if not tasks:
        raise UserError("the checkpoints have no task in common, offline and in trials")
    rows = [_row(one, tasks) for one in both]
    return {
        "source": sources.pop(),
        "tasks": tasks,
        "checkpoints": rows,
        "overall": {m: _proxy(rows, m) for m in MEASURES if all(r[m] is not None for r in rows)},
        "per_task": {
            task: {
                m: _proxy([row["tasks"][task] for row in rows], m)
                for m in MEASURES
                if all(row["tasks"][task][m] is not None for row in rows)
            }
            for task in tasks
        },
    }


def _add(of: Known, side: Side) -> None:
    if side.kind == OFFLINE:
        assert side.episodes is not None
        for measure in MEASURES:
            table = side.episodes.dropna(subset=[f"{measure}_sum"])
            sums = table.groupby("task")[[f"{measure}_sum", f"{measure}_count"]].sum()
            means = sums[f"{measure}_sum"] / sums[f"{measure}_count"]
            of.offline.setdefault(measure, {}).update(
                {str(task): float(mean) for task, mean in means.items()}
            )
        return
    for trial in side.trials:
        of.won.setdefault(trial.task, []).append(bool(trial.success))


def _scored(one: Known) -> set[str]:
    return {task for scores in one.offline.values() for task in scores}


def _row(one: Known, tasks: Sequence[str]) -> dict[str, Any]:
    """One checkpoint: averages over the tasks, each task weighing the same."""
    per_task: dict[str, dict[str, Any]] = {
        task: {
            "success": wilson(sum(one.won[task]), len(one.won[task])).as_dict(),
            **{m: one.offline.get(m, {}).get(task) for m in MEASURES},
        }
        for task in tasks
    }
    means = {
        m: None if None in (of := [per_task[t][m] for t in tasks]) else float(np.mean(of))
        for m in MEASURES
    }
    success = float(np.mean([per_task[task]["success"]["value"] for task in tasks]))
    return {
        "label": one.label,
        "sha256": one.sha256,
        "success": {"value": success, "unit": "fraction"},
        **means,
        "tasks": per_task,
    }


def _proxy(rows: Sequence[dict[str, Any]], measure: str) -> dict[str, Any]:
    success = [row["success"]["value"] for row in rows]
    return proxy_validity(success, [row[measure] for row in rows], False).as_dict()
