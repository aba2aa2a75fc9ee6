"""Trials as a Parquet table: one row per attempt, nested fields flattened or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kuavo_eval.trials.schema import Trial

FILE = "trials.parquet"


def write_table(trials: Sequence[Trial], folder: Path) -> Path:
    """Write the folder's `trials.parquet` in one step; an earlier one is replaced."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / FILE
    beside = folder / f".{FILE}"
    pq.write_table(pa.Table.from_pylist([_row(trial) for trial in trials], _schema(pa)), beside)
    beside.replace(path)
    return path


def _row(trial: Trial) -> dict[str, Any]:
    latency, switch, aim = trial.latency, trial.switch, trial.aim
    return {
        "checkpoint": trial.checkpoint,
        "checkpoint_sha256": trial.checkpoint_sha256,
        "trial": trial.trial,
        "attempt": trial.attempt,
        "source": trial.source,
        "task": trial.task,
        "instruction": trial.instruction,
        "start": trial.start,
        "seed": trial.seed,
        "success": trial.success,
        "stage": trial.stage,
        "stages_json": json.dumps(dict(trial.stages)),
        "duration_s": trial.duration,
        "failure": trial.failure,
        "void": trial.void,
        "did": trial.did,
        "wrong_task": trial.wrong_task,
        "interventions": trial.interventions,
        "safety_events": len(trial.safety),
        "safety_json": json.dumps([vars(event) for event in trial.safety], ensure_ascii=False),
        "latency_median_s": latency and latency.median,
        "latency_p99_s": latency and latency.p99,
        "chunks": latency and latency.chunks,
        "switched_from": switch and switch.first,
        "switched_at_s": switch and switch.at,
        "resumed_at_s": switch and switch.resumed,
        "closes_s": aim and aim.time,
        "ahead_m": aim and aim.ahead,
        "aside_m": aim and aim.aside,
        "began": trial.began,
        "plan": trial.plan,
        "bag": trial.bag,
        "note": trial.note,
    }


def _schema(pa: Any) -> Any:
    # fixed, so that a column in which every value is missing keeps its type
    kinds = {
        "attempt": pa.int32(), "seed": pa.int64(), "success": pa.bool_(), "wrong_task": pa.bool_(),
        "interventions": pa.int32(), "safety_events": pa.int32(), "chunks": pa.int32(),
        "duration_s": pa.float64(), "latency_median_s": pa.float64(), "latency_p99_s": pa.float64(),
        "switched_at_s": pa.float64(), "resumed_at_s": pa.float64(),
        "closes_s": pa.float64(), "ahead_m": pa.float64(), "aside_m": pa.float64(),
    }  # fmt: skip
    empty = Trial("", "simulation", "", "", "", (), None, 0.0, void="-")
    return pa.schema([(name, kinds.get(name, pa.string())) for name in _row(empty)])
