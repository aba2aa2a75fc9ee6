"""Criteria, forgetting analysis, warnings, and `training_results.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kuavo_train.checkpoint.atomic import atomic_file
from kuavo_train.sequential.plan import JOINT, RESULTS, StagePlan
from kuavo_train.sequential.validation import Validation
from kuavo_train.tasks import Task

FILE = RESULTS
RETAINED, SLIGHT, SIGNIFICANT = "well retained", "slight degradation", "significant forgetting"
SLIGHT_ABOVE, SIGNIFICANT_ABOVE = 0.05, 0.3
"""Rise of an earlier task's loss since the stage began, as a part of what it was."""


@dataclass(frozen=True)
class Forgetting:
    """One earlier task now and when the stage began."""

    task: str
    before: float
    now: float

    @property
    def change(self) -> float:
        """Relative rise of the loss."""
        return (self.now - self.before) / max(self.before, 1e-9)

    @property
    def verdict(self) -> str:
        """In the guide's three words."""
        if self.change > SIGNIFICANT_ABOVE:
            return SIGNIFICANT
        return SLIGHT if self.change > SLIGHT_ABOVE else RETAINED


def analyse(plan: StagePlan, start: Validation, now: Validation) -> list[Forgetting]:
    """Every earlier task's change since the stage began."""
    return [
        Forgetting(task.name, start.tasks[task.name].loss, now.tasks[task.name].loss)
        for task in plan.earlier
        if task.name in start.tasks and plan.name != JOINT
    ]


def warnings(plan: StagePlan, now: Validation) -> list[str]:
    """Which knob to turn, for every earlier task past its limit."""
    lines = []
    for task in plan.earlier:
        limit = plan.warnings.get(task.name)
        loss = now.tasks[task.name].loss
        if limit is None or loss <= limit:
            continue
        lines.append(
            f"task {task.id} ({task.name}) passed its limit: loss {loss:.3f} > {limit:g}. "
            f"If it is being forgotten, {_knob(plan, task)}"
        )
    return lines


def _knob(plan: StagePlan, task: Task) -> str:
    """The settings that bring more of an earlier task back."""
    share = float(plan.shares.get(task.name, 0))
    if not plan.has_knobs:
        more = min(1 - float(plan.shares[plan.new.name]) + 0.1, 0.9)
        return f"raise sequential.later_stage.replay={more:.2g} or lower its learning_rate"
    stage = f"sequential.stage{plan.name}"
    more = min(share + 0.1, 0.9)
    new = max(float(plan.shares[plan.new.name]) - (more - share), 0)
    return (
        f"raise its share: {stage}_replay.task{task.id}={more:.2g} "
        f"{stage}_replay.task{plan.new.id}={new:.2g}"
        + (" replay=uniform" if share == 0 else "")
        + f", or lower {stage}.learning_rate"
    )


def criteria(plan: StagePlan, scored: Validation, switches: bool | None) -> list[dict[str, Any]]:
    """The stage's success criteria, each with what was reached."""
    rows: list[dict[str, Any]] = []
    for task in plan.seen:
        loss, limit = scored.tasks[task.name].loss, plan.limits[task.name]
        text = f"task {task.id} ({task.name}) validation loss < {limit:g}"
        rows.append({"criterion": text, "value": loss, "met": loss < limit})
    if switches is not None and len(plan.seen) > 1:
        rows.append(
            {
                "criterion": "the model switches between its tasks by language",
                "value": switches,
                "met": switches,
            }
        )
    return rows


def selection(validation: Validation, plan: StagePlan, rule: str) -> float:
    """The number that `best/` minimizes."""
    if rule == "new_task" and plan.name != JOINT:
        return validation.tasks[plan.new.name].loss
    losses = list(validation.losses().values())
    return sum(losses) / len(losses)


def best_of(history: Sequence[Validation], plan: StagePlan, rule: str) -> Validation:
    """The validation that `best/` was written at (the first one, when equal)."""
    return min(history, key=lambda validation: selection(validation, plan, rule))


def exhausted(
    history: Sequence[Validation], plan: StagePlan, rule: str, patience: int | None
) -> bool:
    """Whether early stopping ends the stage: `patience` validations without improvement."""
    if patience is None or not history:
        return False
    return len(history) - 1 - history.index(best_of(history, plan, rule)) >= patience


def by_id(plan: StagePlan, validation: Validation) -> dict[str, float]:
    """Losses by task id, as the guide writes them."""
    return {str(task.id): validation.tasks[task.name].loss for task in plan.seen}


def stage_results(
    plan: StagePlan,
    history: Sequence[Validation],
    start: Validation,
    rule: str,
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of `training_results.json`."""
    best, final = best_of(history, plan, rule), history[-1]
    joint = plan.name == JOINT
    return {
        "task_id": JOINT if joint else plan.new.id,
        "task_name": JOINT if joint else plan.new.name,
        "description": plan.title if joint else plan.new.description,
        "language_instruction": None if joint else plan.new.instruction,
        "best_loss": selection(best, plan, rule),
        "best_epoch": best.epoch,
        "best_validation": by_id(plan, best),
        "final_validation": by_id(plan, final),
        "start_validation": by_id(plan, start),
        "training_epochs": final.epoch,
        "learning_rate": plan.learning_rate,
        "replay_shares": {str(t.id): float(plan.shares.get(t.name, 0)) for t in plan.seen},
        "loss_dimensions": {str(t.id): t.action_dim for t in plan.seen},
        "forgetting": {
            f.task: {"before": f.before, "now": f.now, "verdict": f.verdict}
            for f in analyse(plan, start, best)
        },
        "warnings": warnings(plan, best),
        "validations": [validation.to_dict() for validation in history],
        **extra,
    }


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    atomic_file(file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
