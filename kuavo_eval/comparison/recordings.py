"""Offline scores of A against those of B, over the same episodes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from kuavo_eval.comparison.options import Options
from kuavo_eval.comparison.sides import Side
from kuavo_eval.statistics import bootstrap_ratio, combined

FEW = 5
"""Fewer paired episodes cannot decide: the smallest two-sided p-value of 5 is 0.0625."""
UNITS = {"error": "fraction", "loss": ""}


def compare_task(a: Side, b: Side, task: str, options: Options, number: int) -> dict[str, Any]:
    """One task's part of the document, without what needs all tasks; see `rollouts`."""
    table = _joined(a, b, task, options.measure)
    sums = table[["sum_a", "sum_b"]].to_numpy().T
    counts = table[["count_a", "count_b"]].to_numpy().T
    unit = UNITS[options.measure]
    if len(table) == 0:
        return {"void": "no episode was scored for both", "p": 1.0, "episodes": 0}
    both = bootstrap_ratio(sums, counts, seed=options.seed + number)
    difference = combined(lambda x: x[0] - x[1], both)
    each = sums[0] / counts[0] - sums[1] / counts[1]
    return {
        "a": both.quantity(unit, 0).as_dict(),
        "b": both.quantity(unit, 1).as_dict(),
        "difference": difference.quantity(unit).as_dict(),
        "episodes": len(table),
        "better_in": {"a": int((each < 0).sum()), "b": int((each > 0).sum())},
        "test": "exact sign-flip permutation of paired episodes",
        "p": sign_flip(each),
        "void": "",
        "unit": "episodes",
    }


def sign_flip(differences: np.ndarray) -> float:
    """Two-sided p-value that paired differences of shape (E,) have mean 0.

    All sign patterns up to 13 episodes, 10,000 random ones above (scipy.stats.permutation_test).
    """
    if len(differences) < 2 or not np.any(differences):
        return 1.0
    done = stats.permutation_test(
        (differences,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9_999,
        rng=np.random.default_rng(0),
    )
    return min(1.0, float(done.pvalue))


def lacking(row: dict[str, Any], differences_sd: float, alpha: float, power: float) -> int | None:
    """Episodes still missing for `power`, by the paired t-test; None where nothing differs."""
    from statsmodels.stats.power import TTestPower

    shift = abs(row["difference"]["value"] or 0.0)
    if shift == 0 or differences_sd == 0:
        return None
    needed = TTestPower().solve_power(shift / differences_sd, alpha=alpha, power=power)
    return max(1, math.ceil(float(np.max(needed))) - row["episodes"])


def spread(a: Side, b: Side, task: str, measure: str) -> float:
    """Standard deviation of the paired differences of episodes."""
    table = _joined(a, b, task, measure)
    each = table["sum_a"] / table["count_a"] - table["sum_b"] / table["count_b"]
    return float(each.std(ddof=1)) if len(each) > 1 else 0.0


def rows_of(a: Side, b: Side, measure: str) -> list[dict[str, Any]]:
    """The Parquet table: each task's paired episodes."""
    rows: list[dict[str, Any]] = []
    for task in tasks_of(a, b):
        for row in _joined(a, b, task, measure).to_dict("records"):
            rows.append({"task": task, **{str(key): value for key, value in row.items()}})
    return rows


def tasks_of(a: Side, b: Side) -> list[str]:
    """Tasks that both were scored on, in A's order."""
    assert a.episodes is not None and b.episodes is not None
    theirs = set(b.episodes["task"])
    return [task for task in dict.fromkeys(a.episodes["task"]) if task in theirs]


def _joined(a: Side, b: Side, task: str, measure: str) -> pd.DataFrame:
    parts = []
    for side, name in ((a, "a"), (b, "b")):
        assert side.episodes is not None
        own = side.episodes[side.episodes["task"] == task]
        parts.append(
            own[["episode", f"{measure}_sum", f"{measure}_count"]].set_axis(
                ["episode", f"sum_{name}", f"count_{name}"], axis=1
            )
        )
    return parts[0].merge(parts[1], on="episode").dropna()
