"""How many trials are needed? Known before the first one.

Normal approximations: planning needs no more. Two-sided at level `alpha`.
"""

from __future__ import annotations

import math

from scipy import stats
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

from kuavo_eval.statistics.quantity import ALPHA

POWER = 0.8


def trials_per_arm(rate_a: float, rate_b: float, power: float = POWER, alpha: float = ALPHA) -> int:
    """Trials of each checkpoint to tell two success rates apart with `power`, unpaired.

    Pooled variance under the null hypothesis: 60 % against 80 % takes 82 an arm.

    Raises:
        ValueError: equal rates, or one outside 0…1.
    """
    _check(rate_a, rate_b)
    low, high = sorted((rate_a, rate_b))
    needed = samplesize_proportions_2indep_onetail(
        high - low, low, power, alpha=alpha, alternative="two-sided"
    )
    return max(2, math.ceil(needed - 1e-9))


def pairs_needed(only_a: float, only_b: float, power: float = POWER, alpha: float = ALPHA) -> int:
    """Pairs for McNemar's test, given the shares of pairs that only A and only B win.

    n = (z_{1-α/2} √ψ + z_{power} √(ψ - δ²))² / δ², ψ = only_a + only_b, δ = only_a - only_b
    (Connor 1987). Neither scipy nor statsmodels has it.

    Raises:
        ValueError: equal shares, or shares that are none.
    """
    if not (0 <= only_a <= 1 and 0 <= only_b <= 1 and only_a + only_b <= 1):
        raise ValueError(f"shares {only_a} and {only_b} of the pairs: impossible")
    discordant, difference = only_a + only_b, abs(only_a - only_b)
    if difference == 0:
        raise ValueError("equal shares cannot be told apart with any number of pairs")
    z_alpha, z_power = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(power)
    root = z_alpha * math.sqrt(discordant) + z_power * math.sqrt(discordant - difference**2)
    return max(2, math.ceil((root / difference) ** 2 - 1e-9))


def more_trials(
    successes_a: int,
    trials_a: int,
    successes_b: int,
    trials_b: int,
    alpha: float = ALPHA,
    power: float = POWER,
) -> int | None:
    """Trials that the smaller arm still lacks for `power`, if the rates are those seen.

    None where the rates seen are equal.
    """
    if 0 in (trials_a, trials_b):
        return None
    rate_a, rate_b = successes_a / trials_a, successes_b / trials_b
    if rate_a == rate_b:
        return None
    return max(0, trials_per_arm(rate_a, rate_b, power, alpha) - min(trials_a, trials_b))


def more_pairs(
    only_a: int, only_b: int, pairs: int, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Pairs still lacking for `power`, if pairs go on to differ as often; None as above."""
    if pairs == 0 or only_a == only_b:
        return None
    return max(0, pairs_needed(only_a / pairs, only_b / pairs, power, alpha) - pairs)


def _check(*rates: float) -> None:
    if not all(0 <= rate <= 1 for rate in rates):
        raise ValueError(f"success rates lie in 0…1, not {rates}")
    if len(set(rates)) == 1:
        raise ValueError("equal success rates cannot be told apart with any number of trials")
