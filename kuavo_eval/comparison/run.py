"""A comparison from two folders to a document."""

from __future__ import annotations

from typing import Any

from kuavo_cli.errors import UserError
from kuavo_eval.comparison import recordings, rollouts
from kuavo_eval.comparison.conditions import differing_conditions
from kuavo_eval.comparison.options import Options
from kuavo_eval.comparison.sides import Side
from kuavo_eval.comparison.verdict import EQUAL, OPEN, decision, level, sentence
from kuavo_eval.folder import TRIALS
from kuavo_eval.statistics import bootstrap_ratio, combined, holm


def compare(a: Side, b: Side, options: Options) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The document (without provenance) and the rows of its table.

    Raises:
        UserError: no task in common.
    """
    of_trials = a.kind == TRIALS
    if options.sequential and not of_trials:
        raise UserError("--sequential is for trials: recordings do not come in one by one")
    names = _common_tasks(a, b) if of_trials else recordings.tasks_of(a, b)
    if not names:
        raise UserError(f"{a.folder} and {b.folder} have no task in common")
    part = rollouts.compare_task if of_trials else recordings.compare_task
    tasks = {name: part(a, b, name, options, i) for i, name in enumerate(names)}
    compared = {name: row for name, row in tasks.items() if "difference" in row}
    if not compared:
        raise UserError(f"{a.folder} and {b.folder} have no episode in common")
    _settle(compared, a, b, options)
    document: dict[str, Any] = {
        "sides": {"a": a.about(), "b": b.about()},
        "method": {
            "of": a.kind,
            "measure": "success" if of_trials else _measure_name(options.measure),
            "alpha": options.alpha,
            "power": options.power,
            "smallest": options.smallest,
            "sequential": options.sequential,
        },
        "tasks": compared,
        "not_compared": {name: row["void"] for name, row in tasks.items() if name not in compared},
    }
    document["different_conditions"] = (
        differing_conditions(a.folder, b.folder) if of_trials else []
    )
    document["overall"] = _overall(a, b, compared, options) if of_trials else None
    document["verdict"] = {"text": sentence(compared, document), "level": level(compared)}
    rows = rollouts.rows_of(a, b) if of_trials else recordings.rows_of(a, b, options.measure)
    return document, rows


def _settle(tasks: dict[str, dict[str, Any]], a: Side, b: Side, options: Options) -> None:
    """Holm over the tasks, decisions, and what is lacking where there is none."""
    adjusted = holm({name: row["p"] for name, row in tasks.items()})
    for name, row in tasks.items():
        row["p_holm"] = adjusted[name]
        row["decision"] = decision(row, options.alpha, lower_is_better=a.kind != TRIALS)
    undecided = {name: row for name, row in tasks.items() if row["decision"] == OPEN}
    for name, row in tasks.items():
        row["more"] = None
        if name not in undecided or options.sequential:
            continue
        alpha = options.alpha / len(undecided)  # what Holm asks of the first of them
        if a.kind == TRIALS:
            row["more"] = rollouts.lacking(row, alpha, options)
        else:
            spread = recordings.spread(a, b, name, options.measure)
            row["more"] = recordings.lacking(row, spread, alpha, options.power)
        if row["more"] is None:
            row["decision"] = EQUAL


def _common_tasks(a: Side, b: Side) -> list[str]:
    theirs = {trial.task for trial in b.trials}
    return [task for task in dict.fromkeys(t.task for t in a.trials) if task in theirs]


def _measure_name(measure: str) -> str:
    return "normalized error" if measure == "error" else "validation loss"


def _overall(
    a: Side, b: Side, tasks: dict[str, dict[str, Any]], options: Options
) -> dict[str, Any]:
    """Mean over tasks of the difference in success, each task weighing the same."""
    drawn = []
    for number, task in enumerate(tasks):
        sums = [[float(bool(t.success)) for t in s.trials if t.task == task] for s in (a, b)]
        parts = [
            bootstrap_ratio(x, [1.0] * len(x), seed=options.seed + 2 * number + i)
            for i, x in enumerate(sums)
        ]
        drawn.append(combined(lambda x, y: x - y, *parts))
    count = len(drawn)
    return combined(lambda *x: sum(x) / count, *drawn).quantity("fraction").as_dict()
