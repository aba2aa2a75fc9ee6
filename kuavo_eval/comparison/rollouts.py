"""Trials of A against trials of B, task by task: paired where they began alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kuavo_eval.comparison.options import Options
from kuavo_eval.comparison.sides import Side
from kuavo_eval.statistics import (
    Evidence,
    Quantity,
    bootstrap_ratio,
    boschloo,
    combined,
    difference_paired,
    difference_unpaired,
    evidence_paired,
    evidence_unpaired,
    mcnemar,
    success_interval,
    wilson,
)
from kuavo_eval.statistics.comparison import discordant
from kuavo_eval.statistics.power import more_pairs, more_trials
from kuavo_eval.trials import Trial

ENOUGH_PAIRED = 0.5
"""Part of the smaller side's trials that need a partner; else the task is compared unpaired."""


def compare_task(a: Side, b: Side, task: str, options: Options, number: int) -> dict[str, Any]:
    """One task's part of the document, without what needs all tasks (Holm, decision).

    Args:
        a: one side.
        b: the other.
        task: that both have trials of.
        options: how to decide.
        number: of the task, for its own random draws.
    """
    all_a = [trial for trial in a.trials if trial.task == task]
    all_b = [trial for trial in b.trials if trial.task == task]
    pairs = _pairs(all_a, all_b)
    paired = len(pairs) >= ENOUGH_PAIRED * min(len(all_a), len(all_b)) and bool(pairs)
    use_a, use_b = ([list(side) for side in zip(*pairs, strict=True)]) if paired else (all_a, all_b)
    won_a, won_b = _successes(use_a), _successes(use_b)
    rate = success_interval if options.sequential else wilson
    counts = sum(won_a), len(won_a), sum(won_b), len(won_b)
    evidence = _evidence(won_a, won_b, paired, options)
    p = evidence.p_anytime if options.sequential else _p_value(won_a, won_b, paired)
    return {
        "a": rate(counts[0], counts[1]).as_dict(),
        "b": rate(counts[2], counts[3]).as_dict(),
        "difference": _difference(won_a, won_b, paired, options.sequential).as_dict(),
        "paired": paired,
        "left_out": len(all_a) + len(all_b) - len(won_a) - len(won_b),
        "only_a": discordant(won_a, won_b)[0] if paired else None,
        "only_b": discordant(won_a, won_b)[1] if paired else None,
        "test": _test_name(paired, options.sequential),
        "p": p,
        "evidence": evidence.as_dict() if options.sequential else None,
        "progress": _progress(use_a, use_b, paired, options.seed + number),
        "stages": _stages(use_a, use_b),
        "wrong_task": {
            "a": wilson(sum(t.wrong_task for t in use_a), len(use_a)).as_dict(),
            "b": wilson(sum(t.wrong_task for t in use_b), len(use_b)).as_dict(),
        },
        "void": {"a": a.void.get(task, 0), "b": b.void.get(task, 0)},
        "unit": "pairs" if paired else "trials of each",
    }


def lacking(row: dict[str, Any], alpha: float, options: Options) -> int | None:
    """Pairs (or trials of each) that are missing for the wanted power, if things go on alike.

    None where the difference seen is below what matters: no number of trials is worth it then.
    """
    if abs(row["difference"]["value"]) < options.smallest:
        return None
    a, b = row["a"], row["b"]
    if row["paired"]:
        more = more_pairs(row["only_a"], row["only_b"], a["trials"], alpha, options.power)
    else:
        counts = a["successes"], a["trials"], b["successes"], b["trials"]
        more = more_trials(*counts, alpha, options.power)
    return None if more is None else max(1, more)


def rows_of(a: Side, b: Side) -> list[dict[str, Any]]:
    """The Parquet table: every trial that counts."""
    return [
        {
            "side": name,
            "checkpoint": side.label,
            "task": trial.task,
            "trial": trial.trial,
            "seed": trial.seed,
            "start": trial.start,
            "success": trial.success,
            "stage": trial.stage,
            "duration_s": trial.duration,
            "did": trial.did,
        }
        for name, side in (("a", a), ("b", b))
        for trial in side.trials
    ]


def _pairs(a: Sequence[Trial], b: Sequence[Trial]) -> list[tuple[Trial, Trial]]:
    """Trials that began alike: the same name, seed, start and switch of instructions."""

    def beginning(trial: Trial) -> tuple[Any, ...]:
        first = trial.switch.first if trial.switch else None
        return trial.trial, trial.seed, trial.start, trial.instruction, first

    partners = {beginning(trial): trial for trial in b}
    return [(t, partners[beginning(t)]) for t in a if beginning(t) in partners]


def _successes(trials: Sequence[Trial]) -> list[bool]:
    return [bool(trial.success) for trial in trials]


def _difference(a: list[bool], b: list[bool], paired: bool, sequential: bool) -> Quantity:
    found = (
        difference_paired(a, b) if paired else difference_unpaired(sum(a), len(a), sum(b), len(b))
    )
    if sequential:  # its interval holds at one moment, not at all of them
        return Quantity(found.value, found.unit, n=found.n, of=found.of)
    return found


def _p_value(a: list[bool], b: list[bool], paired: bool) -> float:
    return mcnemar(a, b) if paired else boschloo(sum(a), len(a), sum(b), len(b))


def _evidence(a: list[bool], b: list[bool], paired: bool, options: Options) -> Evidence:
    return (evidence_paired if paired else evidence_unpaired)(a, b, options.alpha)


def _test_name(paired: bool, sequential: bool) -> str:
    if sequential:
        return "e-process on pairs that differ" if paired else "e-process on two rates"
    return "exact McNemar" if paired else "Boschloo"


def _progress(
    a: Sequence[Trial], b: Sequence[Trial], paired: bool, seed: int
) -> dict[str, dict[str, Any]]:
    """Mean part of the task's stages that were reached, and the difference."""
    parts = [[len(t.stages) / max(1, len(t.rubric)) for t in trials] for trials in (a, b)]
    if paired:
        both = bootstrap_ratio(parts, [[1.0] * len(a)] * 2, seed=seed)
        difference = combined(lambda x: x[0] - x[1], both)
        one, other = both.quantity("fraction", 0), both.quantity("fraction", 1)
    else:
        drawn = [bootstrap_ratio(p, [1.0] * len(p), seed=2 * seed + i) for i, p in enumerate(parts)]
        difference = combined(lambda x, y: x - y, *drawn)
        one, other = (d.quantity("fraction") for d in drawn)
    return {
        "a": one.as_dict(),
        "b": other.as_dict(),
        "difference": difference.quantity("fraction").as_dict(),
    }


def _stages(a: Sequence[Trial], b: Sequence[Trial]) -> list[dict[str, Any]]:
    """How many trials reached each stage."""
    return [
        {
            "stage": stage,
            "a": wilson(sum(stage in t.stages for t in a), len(a)).as_dict(),
            "b": wilson(sum(stage in t.stages for t in b), len(b)).as_dict(),
        }
        for stage in a[0].rubric
    ]
