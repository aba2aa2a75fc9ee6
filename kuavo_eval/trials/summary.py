"""What trials say together: rates with intervals, per checkpoint and task; for `scores.json`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kuavo_eval.statistics import Quantity, bootstrap, wilson
from kuavo_eval.trials.log import scored
from kuavo_eval.trials.schema import Trial

NOTHING = "no trial to measure it on"


def summarize(trials: Sequence[Trial]) -> dict[str, Any]:
    """`checkpoints` → label → `tasks` → name → figures; `voids`: a list of what did not count.

    All attempts go in; of each trial the first that is not void counts.
    """
    counting = scored(trials)
    labels = list(dict.fromkeys(trial.checkpoint for trial in trials))
    return {
        "checkpoints": {label: _of_checkpoint(label, trials, counting) for label in labels},
        "voids": [
            {
                "checkpoint": trial.checkpoint,
                "trial": trial.trial,
                "attempt": trial.attempt,
                "reason": trial.void,
            }
            for trial in trials
            if trial.void
        ],
    }


def answer(summary: Mapping[str, Any]) -> str:
    """The successes in a sentence, from what `summarize` returned."""
    parts = []
    for label, checkpoint in summary["checkpoints"].items():
        rates = [
            (task, figures["success"]["successes"], figures["trials"])
            for task, figures in checkpoint["tasks"].items()
        ]
        each = ", ".join(f"{task} {won}/{of}" if of else f"{task} void" for task, won, of in rates)
        won, of = sum(rate[1] for rate in rates), sum(rate[2] for rate in rates)
        where = f"of {rates[0][0]}" if len(rates) == 1 else f"({each})"
        parts.append(f"{label} succeeded in {won} of {of} trials {where}")
    text = "; ".join(parts) or "There is no trial yet"
    voids = len(summary["voids"])
    if voids:
        text += f". {voids} void attempt{'s do' if voids > 1 else ' does'} not count"
    return f"{text}."


def _of_checkpoint(label: str, trials: Sequence[Trial], counting: list[Trial]) -> dict[str, Any]:
    mine = [trial for trial in trials if trial.checkpoint == label]
    tasks = list(dict.fromkeys(trial.task for trial in mine))
    return {
        "weights_sha256": mine[0].checkpoint_sha256,
        "tasks": {
            task: _of_task(
                [t for t in counting if t.checkpoint == label and t.task == task],
                sum(1 for t in mine if t.task == task and t.void),
            )
            for task in tasks
        },
    }


def _of_task(trials: list[Trial], voids: int) -> dict[str, Any]:
    events = [event for trial in trials for event in trial.safety]
    return {
        "success": _rate(trials, lambda trial: bool(trial.success)),
        "trials": len(trials),
        "voids": voids,
        "stages": [
            {
                "name": stage,
                "reached": _rate(trials, lambda trial, stage=stage: stage in trial.stages),
                "time": _median([trial.stages.get(stage) for trial in trials]),
            }
            for stage in (trials[0].rubric if trials else ())
        ],
        "duration": _median([trial.duration for trial in trials if trial.success]),
        "failures": _counts([trial.failure for trial in trials if not trial.success]),
        "wrong_task": _rate(trials, lambda trial: trial.wrong_task),
        "did_instead": _counts([trial.did for trial in trials if trial.wrong_task]),
        "interventions": sum(trial.interventions for trial in trials),
        "intervened": _rate(trials, lambda trial: trial.interventions > 0),
        "safety": _counts([f"{event.kind}: {event.text}" for event in events]),
        "stopped": _rate(trials, lambda t: any(event.kind == "fault" for event in t.safety)),
        "latency": _median([trial.latency.median for trial in trials if trial.latency]),
        "latency_p99": _largest([trial.latency.p99 for trial in trials if trial.latency]),
        "aside": _median([100 * abs(trial.aim.aside) for trial in trials if trial.aim], "cm"),
        "closes": _median([trial.aim.time for trial in trials if trial.aim]),
        "resumed": _median(
            [
                trial.switch.resumed - trial.switch.at
                for trial in trials
                if trial.switch and trial.switch.resumed is not None
            ]
        ),
        "switched": sum(1 for trial in trials if trial.switch),
    }


def _rate(trials: list[Trial], true: Any) -> dict[str, Any]:
    return wilson(sum(1 for trial in trials if true(trial)), len(trials)).as_dict()


def _median(values: Sequence[float | None], unit: str = "s") -> dict[str, Any]:
    """The median over trials with its bootstrap interval."""
    known = [value for value in values if value is not None]
    if not known:
        return Quantity(None, unit, n=0, of="trials", why=NOTHING).as_dict()
    return bootstrap(np.median, known, of="trials").quantity(unit).as_dict()


def _largest(known: Sequence[float]) -> dict[str, Any]:
    if not known:
        return Quantity(None, "s", n=0, of="trials", why=NOTHING).as_dict()
    return Quantity(max(known), "s", n=len(known), of="trials").as_dict()


def _counts(reasons: Sequence[str | None]) -> list[dict[str, Any]]:
    """Reasons without their numbers, the most frequent first."""
    counts = Counter(_kind(reason or "no reason given") for reason in reasons)
    return [{"what": what, "count": count} for what, count in counts.most_common()]


def _kind(reason: str) -> str:
    # a number that is part of a name, as in r_arm_4, tells reasons apart
    return re.sub(r"(?<![\w.])\d+(\.\d+)?(?!\w)", "…", reason)
