"""All stages × all tasks, from a training's folder to a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kuavo_eval.continual import gate
from kuavo_eval.continual.agreement import agreement
from kuavo_eval.continual.base import write_untrained
from kuavo_eval.continual.matrix import Matrix, as_document, figures
from kuavo_eval.continual.runs import JOINT, Row, Run, check_alike, stage_rows
from kuavo_eval.continual.scoring import matrices, score_rows
from kuavo_eval.continual.success import success_matrix
from kuavo_eval.offline import Options as OfflineOptions
from kuavo_eval.offline import Source
from kuavo_eval.simulation import SimulationSettings
from kuavo_eval.simulation import run as run_trials
from kuavo_eval.statistics import proxy_validity

BASE = "base"


@dataclass(frozen=True)
class Options:
    """offline: how recordings are scored. trials: folder of simulated trials, None: no simulation.

    episodes, seed: of the trials. simulation: their settings.
    """

    offline: OfflineOptions
    trials: Path | None = None
    episodes: int = 20
    seed: int = 1000
    simulation: SimulationSettings | None = None


def evaluate(
    run: Run,
    sources: Sequence[Source],
    options: Options,
    work: Path,
    base: Path | str | None = None,
    floor: Run | None = None,
) -> tuple[dict[str, Any], list[Row]]:
    """Score everything.

    Args:
        run: the training.
        sources: recordings of each of its tasks.
        options: see there.
        work: an existing folder for the base model's checkpoint.
        base: the base model, None: none.
        floor: the same sequence without replay.

    Returns:
        The document without provenance, and the checkpoints that were scored.
    """
    rows = _rows(run, work, base, floor)
    keys = [row.key for row in rows]
    stages = [row.key for row in stage_rows(run)]
    floors = [row.key for row in stage_rows(floor, "floor")] if floor else []
    scores = score_rows(rows, sources, options.offline)
    loss, error = matrices(rows, scores, options.offline.seed)
    found: dict[str, Matrix] = {"loss": loss, "error": error}
    if options.trials is not None:
        tasks = [task.name for task in run.tasks]
        trials = run_trials(
            {row.key: row.folder for row in rows},
            tasks,
            options.episodes,
            options.seed,
            options.trials,
            options.simulation,
        )
        found["success"] = success_matrix(keys, tasks, trials, options.seed)
    with_base = BASE if base else None
    document: dict[str, Any] = {
        "run": str(run.root),
        "trials": str(options.trials) if options.trials else None,
        "allow_seen": options.offline.allow_seen,
        "rows": [{"key": row.key, "label": row.label} for row in rows],
        "tasks": [task.name for task in run.tasks],
        "stages": stages,
        "floor": floors,
        "episodes": {task: len(scores[keys[0]].episodes(task)) for task in loss.tasks},
        "loss_frames": options.offline.loss_frames,
        "agreement": agreement(run.stages, stages, loss),
        "matrices": {name: as_document(matrix) for name, matrix in found.items()},
        "figures": {name: figures(m, stages, with_base) for name, m in found.items()},
        "ceiling": _only_acc(found, JOINT) if run.joint else None,
        "floor_figures": (
            {name: figures(m, floors, with_base) for name, m in found.items()} if floors else None
        ),
    }
    success = document["figures"].get("success")
    criteria = gate.criteria(run.stages, stages, loss, success)
    document["gate"] = {"criteria": criteria, "passed": all(row["met"] for row in criteria)}
    document["proxy"] = _proxy(found, keys)
    document["verdict"] = _verdict(document)
    return document, rows


def _rows(run: Run, work: Path, base: Path | str | None, floor: Run | None) -> list[Row]:
    rows = []
    if base:
        rows.append(Row(BASE, "base model", write_untrained(base, run, work / BASE)))
    rows += stage_rows(run)
    if run.joint:
        rows.append(Row(JOINT, "all tasks at once (ceiling)", run.joint))
    if floor:
        check_alike(run, floor)
        rows += stage_rows(floor, "floor", "no replay, stage")
    return rows


def _only_acc(found: dict[str, Matrix], row: str) -> dict[str, Any]:
    """Average over the tasks of one checkpoint."""

    def mean(matrix: Matrix) -> dict[str, Any]:
        sign = -1.0 if matrix.lower_is_better else 1.0
        return matrix.figure(lambda r: sign * r[0].mean(axis=0), [row], matrix.unit)

    return {name: mean(matrix) for name, matrix in found.items()}


def _proxy(found: dict[str, Matrix], keys: Sequence[str]) -> dict[str, Any]:
    """Do loss and offline error, averaged over tasks, rank checkpoints as success does?"""

    def averages(matrix: Matrix) -> list[float | None]:
        cells = [[matrix.value(key, task) for task in matrix.tasks] for key in keys]
        return [
            None if None in row else float(np.mean([v for v in row if v is not None]))
            for row in cells
        ]

    success = averages(found["success"]) if "success" in found else [None] * len(keys)
    result = {}
    for name in ("loss", "error"):
        pairs = [
            (real, score)
            for real, score in zip(success, averages(found[name]), strict=True)
            if real is not None and score is not None
        ]
        real, score = ([p[i] for p in pairs] for i in (0, 1))
        result[name] = proxy_validity(real, score, higher_is_better=False).as_dict()
    return result


def _verdict(document: dict[str, Any]) -> dict[str, str]:
    rows = document["gate"]["criteria"]
    met = sum(row["met"] for row in rows)
    stages = len(document["stages"])
    when = f"after {stages} stages" if stages > 1 else "after stage 1"
    if document["gate"]["passed"]:
        return {"text": f"Passed: all {len(rows)} criteria are met {when}.", "level": "good"}
    missed = next(row["criterion"] for row in rows if not row["met"])
    text = (
        f"Not passed: {met} of {len(rows)} criteria are met {when}; the first missed is {missed}."
    )
    return {"text": text, "level": "bad"}
