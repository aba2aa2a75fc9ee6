"""Trials for tests."""

from __future__ import annotations

from typing import Any

from kuavo_eval.trials import Trial

RUBRIC = ("grasped", "on_scale", "weighed", "re_grasped", "in_bin")


def trial(number: int = 0, **changes: Any) -> Trial:
    """A failed trial of weighing, with changes on top; a success reaches every stage."""
    fields: dict[str, Any] = {
        "trial": f"weighing-{number}",
        "source": "simulation",
        "task": "weighing",
        "instruction": "Weigh it",
        "checkpoint": "best",
        "rubric": RUBRIC,
        "success": False,
        "duration": 40.0,
        "stages": {"grasped": 2.5},
        "failure": "time limit",
        "start": f"seed {number}",
        "seed": number,
    }
    if changes.get("success"):
        stages = {stage: 2.0 + 3 * i for i, stage in enumerate(RUBRIC)}
        fields.update(stages=stages, failure=None, did="weighing", duration=14.0)
    if changes.get("void"):
        fields.update(success=None, failure=None)
    return Trial(**{**fields, **changes})
