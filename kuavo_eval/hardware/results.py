"""What a plan's trials leave to read, with how much of the plan is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kuavo_cli.errors import UserError
from kuavo_eval.hardware.plan import Plan, read_plan
from kuavo_eval.hardware.session import PLAN_COPY
from kuavo_eval.provenance import provenance
from kuavo_eval.trials.log import scored
from kuavo_eval.trials.results import write_results
from kuavo_eval.trials.schema import Trial


def write_plan_results(
    folder: Path,
    trials: Sequence[Trial],
    command: Sequence[str],
    unblind: bool = False,
    films: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """`scores.json`, `trials.parquet` and `report.html` beside the log.

    Args:
        folder: of the results.
        trials: all attempts.
        command: as typed.
        unblind: call a blinded plan's checkpoints by the names that they were planned under.
        films: caption → path in the folder.

    Raises:
        UserError: no plan there, or the trials are another plan's.
    """
    plan = read_plan(folder / PLAN_COPY)
    foreign = [trial for trial in trials if trial.plan != plan.sha256]
    if foreign:
        raise UserError(f"{folder}: trial {foreign[0].trial} is of another plan than {PLAN_COPY}")
    open_to_all = unblind or not plan.blinded
    checkpoints = {label: planned.path for label, planned in plan.checkpoints.items()}
    if unblind and plan.blinded:
        names = {letter: planned.name for letter, planned in plan.checkpoints.items()}
        trials = [
            replace(
                trial, checkpoint=names[trial.checkpoint],
                checkpoint_sha256=plan.checkpoints[trial.checkpoint].weights_sha256,
            )
            for trial in trials
        ]  # fmt: skip
        checkpoints = {names[label]: path for label, path in checkpoints.items()}
    about = {
        "provenance": provenance(command, plan.seed, checkpoints if open_to_all else {}),
        "conditions": _conditions(plan, trials, unblind),
    }
    return write_results(folder, _in_order(trials, list(plan.rubrics)), about, films or {})


def _blinding(plan: Plan, unblind: bool) -> str:
    if not plan.blinded:
        return "open"
    return "were blinded during the trials" if unblind else "blinded"


def _in_order(trials: Sequence[Trial], tasks: Sequence[str]) -> list[Trial]:
    return sorted(trials, key=lambda trial: (trial.checkpoint, tasks.index(trial.task)))


def _conditions(plan: Plan, trials: Sequence[Trial], unblind: bool) -> list[dict[str, Any]]:
    letters = plan.checkpoints if plan.blinded and unblind else {}
    return [
        {"what": "plan", "value": f"{plan.name}, lock {plan.sha256[:12]}"},
        {"what": "trials planned", "value": len(plan.trials)},
        {"what": "trials with a verdict", "value": len(scored(trials))},
        {"what": "checkpoints", "value": _blinding(plan, unblind)},
        *({"what": f"{letter} was", "value": letters[letter].name} for letter in sorted(letters)),
        *(
            {"what": f"time limit of {task}", "value": {"value": limit, "unit": "s"}}
            for task, limit in plan.time_limits.items()
        ),
    ]
