"""Success rates with Wilson's interval (Wilson 1927), right for few trials and at 100 %."""

from __future__ import annotations

from statsmodels.stats.proportion import proportion_confint

from kuavo_eval.statistics.quantity import LEVEL, Rate


def wilson(successes: int, trials: int, level: float = LEVEL) -> Rate:
    """The rate and its interval; no trials: 0…1.

    Raises:
        ValueError: more successes than trials, or less than none.
    """
    check_count(successes, trials)
    if trials == 0:
        return Rate(0, 0, 0.0, 1.0)
    low, high = proportion_confint(successes, trials, 1 - level, method="wilson")
    return Rate(successes, trials, float(low), float(high))


def check_count(successes: int, trials: int) -> None:
    """Raise ValueError unless 0 ≤ successes ≤ trials."""
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials: impossible")
