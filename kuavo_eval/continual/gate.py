"""The guide's thresholds, stage by stage, and the published mark for forgetting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kuavo_eval.continual.matrix import Matrix
from kuavo_eval.continual.runs import Stage

NBT_MARK = 0.03
"""Of success, with at most 5 % replay: π0 and GR00T on LIBERO (arXiv 2603.03818)."""
LANGUAGE = "switches between its tasks by language"


def criteria(
    stages: Sequence[Stage], keys: Sequence[str], loss: Matrix, success: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """One row per threshold: what, the value, its limit, met or not.

    certain: whether the whole interval is on the value's side of the limit; None: no interval.
    A score that is missing does not meet anything.
    """
    rows = [
        _below(
            f"stage {stage.number}: {task} validation loss",
            loss.cell(key, task),
            limit,
            stage.number,
        )
        for stage, key in zip(stages, keys, strict=True)
        for task, limit in stage.limits.items()
    ]
    if len(stages) > 1:
        rows.append(_language(stages[-1]))
    if success is not None and success["nbt"]["value"] is not None:
        rows.append(_below("success lost since it was learned (NBT)", success["nbt"], NBT_MARK, 0))
    return rows


def _below(what: str, cell: Mapping[str, Any], limit: float, stage: int) -> dict[str, Any]:
    value, low, high = (cell.get(name) for name in ("value", "low", "high"))
    met = value is not None and value < limit
    certain = None if low is None or high is None else (high < limit if met else low >= limit)
    return {
        "criterion": what,
        "stage": stage,
        "value": dict(cell),
        "limit": limit,
        "met": met,
        "certain": certain,
    }


def _language(stage: Stage) -> dict[str, Any]:
    """As the training measured it at the end of the stage (its instruction matrix)."""
    switches = (stage.results.get("language") or {}).get("switches")
    return {
        "criterion": f"stage {stage.number}: {LANGUAGE}",
        "stage": stage.number,
        "value": switches,
        "limit": None,
        "met": bool(switches),
        "certain": None,
    }
