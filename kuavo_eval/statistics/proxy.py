"""Does an offline score tell which checkpoint works better? Known only with rollouts of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

MINIMUM = 5
"""Checkpoints with both scores."""
UNVALIDATED = "unvalidated"


@dataclass(frozen=True)
class Proxy:
    """How an offline score and rollout success go together.

    status: 'validated' means only that there were enough checkpoints to compute the rest.
    spearman, pearson: of score and success as they are (an error should be near -1).
    mmrv: 0 is best; the mean over checkpoints of the worst success lost by trusting the score.
    """

    status: str
    checkpoints: int
    higher_is_better: bool
    spearman: float | None = None
    spearman_p: float | None = None
    pearson: float | None = None
    pearson_p: float | None = None
    mmrv: float | None = None
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def mmrv(real: ArrayLike, proxy: ArrayLike) -> float:
    """Mean maximum rank violation (SIMPLER, Li et al. 2024).

    (1/N) Σ_i max_j |R_i − R_j| · 1[(S_i > S_j) ≠ (R_i > R_j)]

    Args:
        real: R, rollout success of each checkpoint, shape (N,).
        proxy: S, its score, more is better, shape (N,).
    """
    r, s = np.asarray(real, dtype=float), np.asarray(proxy, dtype=float)
    if r.shape != s.shape or r.ndim != 1 or r.size == 0:
        raise ValueError(f"as many real scores as proxies are needed: {r.shape}, {s.shape}")
    violated = (s[:, None] > s[None, :]) != (r[:, None] > r[None, :])
    return float((np.abs(r[:, None] - r[None, :]) * violated).max(axis=1).mean())


def proxy_validity(real: Sequence[float], proxy: Sequence[float], higher_is_better: bool) -> Proxy:
    """Spearman, Pearson and MMRV of a score against success, or 'unvalidated'.

    Args:
        real: rollout success of each checkpoint, 0…1.
        proxy: the offline score of the same checkpoints.
        higher_is_better: False for errors and losses.
    """
    n = len(real)
    if n != len(proxy):
        raise ValueError(f"{n} real scores, {len(proxy)} proxies")
    if n < MINIMUM:
        why = f"{n} checkpoints have both an offline score and rollouts; {MINIMUM} are needed"
        return Proxy(UNVALIDATED, n, higher_is_better, why=why)
    for name, values in (("success rate", real), ("offline score", proxy)):
        if len(set(values)) == 1:
            why = f"all {n} checkpoints have the same {name}: nothing to rank"
            return Proxy(UNVALIDATED, n, higher_is_better, why=why)
    rank, linear = stats.spearmanr(proxy, real), stats.pearsonr(proxy, real)
    oriented = np.asarray(proxy, dtype=float) * (1 if higher_is_better else -1)
    return Proxy(
        status="validated",
        checkpoints=n,
        higher_is_better=higher_is_better,
        spearman=float(rank.statistic),
        spearman_p=float(rank.pvalue),
        pearson=float(linear.statistic),
        pearson_p=float(linear.pvalue),
        mmrv=mmrv(real, oriented),
    )
