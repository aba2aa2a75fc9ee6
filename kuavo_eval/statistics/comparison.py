"""Is A better than B? Exact tests and intervals for two success rates; Holm over tasks.

Paired means: trial i of A and trial i of B had the same task, start position or seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep

from kuavo_eval.statistics.quantity import FRACTION, LEVEL, Quantity
from kuavo_eval.statistics.rates import check_count


def discordant(a: Sequence[bool], b: Sequence[bool]) -> tuple[int, int]:
    """Pairs that only A won, pairs that only B won.

    Raises:
        ValueError: not as many trials of A as of B.
    """
    only_a = sum(x and not y for x, y in zip(a, b, strict=True))
    return only_a, sum(y and not x for x, y in zip(a, b, strict=True))


def mcnemar(a: Sequence[bool], b: Sequence[bool]) -> float:
    """Two-sided p-value of the exact McNemar test; 1 where no pair differs."""
    only_a, only_b = discordant(a, b)
    if only_a + only_b == 0:
        return 1.0
    table = [[0, only_a], [only_b, 0]]  # the concordant pairs do not matter
    return min(1.0, float(statsmodels_mcnemar(table, exact=True).pvalue))


def boschloo(successes_a: int, trials_a: int, successes_b: int, trials_b: int) -> float:
    """Two-sided p-value of Boschloo's exact test; 1 where all trials ended alike."""
    check_count(successes_a, trials_a)
    check_count(successes_b, trials_b)
    failures_a, failures_b = trials_a - successes_a, trials_b - successes_b
    if 0 in (trials_a, trials_b, successes_a + successes_b, failures_a + failures_b):
        return 1.0
    table = [[successes_a, successes_b], [failures_a, failures_b]]
    p = float(stats.boschloo_exact(table).pvalue)
    return 1.0 if math.isnan(p) else min(1.0, p)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjusted p-values, so that all of them together are wrong at most α of the time."""
    if not p_values:
        return {}
    adjusted = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, map(float, adjusted), strict=True))


def difference_unpaired(
    successes_a: int, trials_a: int, successes_b: int, trials_b: int, level: float = LEVEL
) -> Quantity:
    """Rate of A minus rate of B with Newcombe's hybrid score interval (1998, method 10)."""
    check_count(successes_a, trials_a)
    check_count(successes_b, trials_b)
    if 0 in (trials_a, trials_b):
        return Quantity(None, FRACTION, why="one side has no trials")
    low, high = confint_proportions_2indep(
        successes_a, trials_a, successes_b, trials_b, method="newcomb", alpha=1 - level
    )
    value = successes_a / trials_a - successes_b / trials_b
    return Quantity(value, FRACTION, float(low), float(high), min(trials_a, trials_b), "trials")


def difference_paired(a: Sequence[bool], b: Sequence[bool], level: float = LEVEL) -> Quantity:
    """Rate of A minus rate of B over pairs, with the adjusted interval of Bonett and Price (2012).

    That is Wald's interval with one pair added to each of the two kinds that differ; neither scipy
    nor statsmodels has an interval for paired proportions.
    """
    n = len(a)
    if n == 0:
        return Quantity(None, FRACTION, why="no pairs")
    only_a, only_b = discordant(a, b)
    p, q = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    reach = float(stats.norm.ppf(0.5 + level / 2)) * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    low, high = max(-1.0, p - q - reach), min(1.0, p - q + reach)
    return Quantity((only_a - only_b) / n, FRACTION, low, high, n, "pairs")
