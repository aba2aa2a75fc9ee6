"""Statistics that stay valid when one looks after every trial and stops at will.

E-processes (Ramdas, Grünwald, Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid
inference", 2023): a non-negative number that starts at 1 and, if there is no difference, exceeds
1/α with probability at most α however long one goes on (Ville's inequality). Neither scipy nor
statsmodels has any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaln, xlogy

from kuavo_eval.statistics.quantity import ALPHA, LEVEL, Rate
from kuavo_eval.statistics.rates import check_count

PRIOR = 0.18
"""Of the Beta prior in `evidence_unpaired`: the choice of Turner, Ly and Grünwald."""


@dataclass(frozen=True)
class Evidence:
    """Against 'A and B succeed equally often', after some trials.

    e_value: now. largest: so far. p_anytime: 1/largest, at most 1: a p-value at any time.
    decided_after: trials (of each, or pairs) after which 1/alpha was first reached; None: not yet.
    used: trials of each (or pairs) that were looked at.
    """

    e_value: float
    largest: float
    p_anytime: float
    decided_after: int | None
    used: int
    alpha: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def success_interval(successes: int, trials: int, level: float = LEVEL) -> Rate:
    """An interval of the success rate that holds at all times at once: a confidence sequence.

    All p that the beta-binomial mixture with a flat prior does not reject:
    B(1+s, 1+f) / (p^s (1-p)^f) < 1/α (Robbins 1970; Howard, Ramdas, McAuliffe, Sekhon 2021).
    """
    check_count(successes, trials)
    failures = trials - successes
    rate = successes / trials if trials else 0.5
    threshold = math.log(1 / (1 - level))

    def excess(p: float) -> float:
        mixture = betaln(1 + successes, 1 + failures)
        return float(mixture - xlogy(successes, p) - xlogy(failures, 1 - p) - threshold)

    tiny = 1e-12
    low = 0.0 if excess(tiny) < 0 else float(brentq(excess, tiny, max(rate, 2 * tiny)))
    high = 1.0 if excess(1 - tiny) < 0 else float(brentq(excess, min(rate, 1 - 2 * tiny), 1 - tiny))
    return Rate(successes, trials, low, high)


def evidence_paired(a: Sequence[bool], b: Sequence[bool], alpha: float = ALPHA) -> Evidence:
    """A sequential McNemar test: does A win more than half of the pairs that differ, or less?

    The same mixture as above against p = 1/2, over the pairs in their order.
    """
    logs, wins, losses = [], 0, 0
    for x, y in zip(a, b, strict=True):
        wins, losses = wins + int(x and not y), losses + int(y and not x)
        logs.append(float(betaln(1 + wins, 1 + losses)) + (wins + losses) * math.log(2))
    return _evidence(logs, alpha)


def evidence_unpaired(a: Sequence[bool], b: Sequence[bool], alpha: float = ALPHA) -> Evidence:
    """A sequential test of two proportions, unpaired.

    Turner, Ly, Grünwald 2024, "Generic E-variables for exact sequential k-sample tests that allow
    for optional stopping" (arXiv 2106.02693).
    Trial i of A and trial i of B form a block; its factor is the likelihood under what the
    earlier blocks suggest for A and B, over that under their mean. What one side has more is not
    used yet.
    """
    logs, total = [], 0.0
    won_a = won_b = 0
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        p_a = (PRIOR + won_a) / (2 * PRIOR + i)
        p_b = (PRIOR + won_b) / (2 * PRIOR + i)
        total += block_log_evidence(bool(x), bool(y), p_a, p_b)
        logs.append(total)
        won_a, won_b = won_a + int(x), won_b + int(y)
    return _evidence(logs, alpha)


def block_log_evidence(x: bool, y: bool, p_a: float, p_b: float) -> float:
    """The log factor of one block with outcomes `x` of A and `y` of B."""
    mean = (p_a + p_b) / 2

    def log_likelihood(outcome: bool, p: float) -> float:
        return math.log(p if outcome else 1 - p)

    return (
        log_likelihood(x, p_a)
        + log_likelihood(y, p_b)
        - log_likelihood(x, mean)
        - log_likelihood(y, mean)
    )


def _evidence(logs: Sequence[float], alpha: float) -> Evidence:
    """`logs`: the log e-value after each trial."""
    path = np.array([0.0, *logs])
    largest = float(path.max())
    over = np.nonzero(path >= math.log(1 / alpha))[0]
    return Evidence(
        e_value=_exp(float(path[-1])),
        largest=_exp(largest),
        p_anytime=math.exp(-largest),
        decided_after=int(over[0]) if over.size else None,
        used=len(logs),
        alpha=alpha,
    )


def _exp(x: float) -> float:
    return math.exp(min(x, 700.0))
