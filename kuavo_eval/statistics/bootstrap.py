"""Intervals of recorded-data scores: whole episodes are resampled, frames depend on each other.

A score is a function of sums over episodes: an error is (sum of errors) / (count of errors), an F1
is a ratio of event counts. Columns hold one number per episode; resampling the same episodes in
all columns keeps checkpoints paired that were scored on the same ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from kuavo_eval.statistics.quantity import LEVEL, Quantity

RESAMPLES = 2000
ONE_EPISODE = "one episode alone gives no interval"


@dataclass(frozen=True)
class Bootstrapped:
    """One or more scores and how they vary when other episodes had been drawn.

    value: shape (...). distribution: shape (..., resamples); empty with fewer than two episodes.
    n: episodes. of: what they are.
    """

    value: np.ndarray
    distribution: np.ndarray
    n: int
    of: str = "episodes"

    def quantity(self, unit: str, *index: int, level: float = LEVEL) -> Quantity:
        """The score at `index` with its percentile interval."""
        value = float(self.value[index])
        if not np.isfinite(value):
            return Quantity(None, unit, n=self.n, of=self.of, why="nothing to measure")
        draws = self.distribution[index]
        draws = draws[np.isfinite(draws)]  # a resample without any event has no F1
        if draws.size == 0:
            return Quantity(value, unit, n=self.n, of=self.of, why=ONE_EPISODE)
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        return Quantity(value, unit, float(low), float(high), self.n, self.of)


def bootstrap(
    statistic: Callable[..., np.ndarray],
    *columns: ArrayLike,
    seed: int = 0,
    resamples: int = RESAMPLES,
    of: str = "episodes",
) -> Bootstrapped:
    """Resample episodes.

    Args:
        statistic: takes the columns, each of shape (..., episodes), and `axis`; reduces that
            axis. Its result may have several values: shape (...).
        columns: one number per episode each, shape (..., episodes).
        seed: equal seeds and numbers of episodes draw equal resamples.
        resamples: how many.
        of: what the last axis counts.

    Raises:
        ValueError: no episode, or columns of different lengths.
    """
    arrays = [np.asarray(column, dtype=float) for column in columns]
    lengths = {array.shape[-1] if array.ndim else 0 for array in arrays}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(f"columns need one number per episode, have {sorted(lengths)}")
    n = lengths.pop()
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # equal episodes are no fault
        value = np.asarray(statistic(*arrays, axis=-1), dtype=float)
        if n < 2:
            return Bootstrapped(value, np.empty((*value.shape, 0)), n, of)
        drawn = stats.bootstrap(
            arrays,
            statistic,
            paired=True,
            vectorized=True,
            axis=-1,
            n_resamples=resamples,
            method="percentile",
            rng=np.random.default_rng(seed),
            batch=100,
        )
    return Bootstrapped(value, np.asarray(drawn.bootstrap_distribution), n, of)


def ratio(sums: np.ndarray, counts: np.ndarray, axis: int = -1) -> np.ndarray:
    """Sum over episodes ÷ count over episodes."""
    return sums.sum(axis=axis) / counts.sum(axis=axis)


def bootstrap_ratio(
    sums: ArrayLike, counts: ArrayLike, seed: int = 0, resamples: int = RESAMPLES
) -> Bootstrapped:
    """A mean over frames with each episode's sum and count of frames, both of shape (..., E)."""
    return bootstrap(ratio, sums, counts, seed=seed, resamples=resamples)


def combined(function: Callable[..., Any], *parts: Bootstrapped) -> Bootstrapped:
    """A function of scores of different tasks, which were drawn independently of each other.

    `function` takes arrays whose last axis is the resample: (..., R) each. The tasks need
    different seeds and as many resamples; a task with one episode counts as not varying.
    """
    widths = {part.distribution.shape[-1] for part in parts} - {0}
    if len(widths) > 1:
        raise ValueError(f"different numbers of resamples: {sorted(widths)}")
    width = widths.pop() if widths else 0
    value = np.asarray(function(*[part.value[..., None] for part in parts]))[..., 0]
    n, of = sum(part.n for part in parts), parts[0].of
    if width == 0:
        return Bootstrapped(value, np.empty((*value.shape, 0)), n, of)
    drawn = [
        part.distribution
        if part.distribution.shape[-1]
        else np.repeat(part.value[..., None], width, axis=-1)
        for part in parts
    ]
    return Bootstrapped(value, np.asarray(function(*drawn)), n, of)
