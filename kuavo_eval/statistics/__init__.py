"""Intervals, tests, sample sizes, stopping rules: scipy and statsmodels where they have it."""

from kuavo_eval.statistics.bootstrap import Bootstrapped, bootstrap, bootstrap_ratio, combined
from kuavo_eval.statistics.comparison import (
    boschloo,
    difference_paired,
    difference_unpaired,
    holm,
    mcnemar,
)
from kuavo_eval.statistics.power import more_pairs, more_trials, pairs_needed, trials_per_arm
from kuavo_eval.statistics.proxy import Proxy, mmrv, proxy_validity
from kuavo_eval.statistics.quantity import ALPHA, LEVEL, Quantity, Rate
from kuavo_eval.statistics.rates import wilson
from kuavo_eval.statistics.sequential import (
    Evidence,
    evidence_paired,
    evidence_unpaired,
    success_interval,
)

__all__ = [
    "ALPHA",
    "LEVEL",
    "Bootstrapped",
    "Evidence",
    "Proxy",
    "Quantity",
    "Rate",
    "boschloo",
    "bootstrap",
    "bootstrap_ratio",
    "combined",
    "difference_paired",
    "difference_unpaired",
    "evidence_paired",
    "evidence_unpaired",
    "holm",
    "mcnemar",
    "mmrv",
    "more_pairs",
    "more_trials",
    "pairs_needed",
    "proxy_validity",
    "success_interval",
    "trials_per_arm",
    "wilson",
]
