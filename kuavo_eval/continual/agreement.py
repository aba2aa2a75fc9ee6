"""Does this evaluation measure the losses that training measured? Two programs, one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kuavo_eval.continual.matrix import Matrix
from kuavo_eval.continual.runs import Stage
from kuavo_train.tasks import load_tasks

CLOSE = 1e-3
"""Relative: the same frames and noise, on another machine or in another number format."""


def agreement(stages: Sequence[Stage], keys: Sequence[str], loss: Matrix) -> dict[str, Any]:
    """Compare with the losses that stand in the stages' `training_results.json`.

    Returns:
        compared: how many. largest: relative difference; None where there is nothing to compare.
        agrees: whether it is below `CLOSE`.
    """
    names = {str(task.id): task.name for task in load_tasks().values()}
    found = []
    for stage, key in zip(stages, keys, strict=True):
        for task, trained in (stage.results.get("best_validation") or {}).items():
            ours = loss.value(key, names[task]) if names.get(task) in loss.tasks else None
            if ours is not None and trained:
                found.append(abs(ours - trained) / abs(trained))
    largest = max(found, default=None)
    return {
        "compared": len(found),
        "largest": largest,
        "agrees": None if largest is None else largest < CLOSE,
    }
