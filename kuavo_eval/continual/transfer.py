"""The figures of continual learning, from a matrix of scores.

R[i, j] is the score on task j after stage i, more is better; T stages, T tasks; stage j is the one
that learned task j. Trailing axes (resamples) are kept. For errors pass R = -error.
ACC, BWT, FWT: Lopez-Paz and Ranzato 2017; forgetting: Chaudhry et al. 2018; NBT: LIBERO.
"""

from __future__ import annotations

import numpy as np


def acc(r: np.ndarray) -> np.ndarray:
    """Average score after the last stage: mean_j R[T, j]. r: shape (T, T, ...)."""
    return r[-1].mean(axis=0)


def bwt(r: np.ndarray) -> np.ndarray:
    """Backward transfer: mean_{j<T} (R[T, j] - R[j, j]); below 0 is forgetting."""
    return np.mean([r[-1, j] - r[j, j] for j in range(len(r) - 1)], axis=0)


def fwt(r: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Forward transfer: mean_{j>1} (R[j-1, j] - b_j). base: the base model's b, shape (T, ...)."""
    return np.mean([r[j - 1, j] - base[j] for j in range(1, len(r))], axis=0)


def forgetting(r: np.ndarray) -> np.ndarray:
    """mean_{j<T} (max_{l<T} R[l, j] - R[T, j]); 0 or less is none."""
    return np.mean([r[:-1, j].max(axis=0) - r[-1, j] for j in range(len(r) - 1)], axis=0)


def nbt(r: np.ndarray, k: int) -> np.ndarray:
    """Negative backward transfer of task k: mean_{τ>k} (R[k, k] - R[τ, k])."""
    return np.mean([r[k, k] - r[stage, k] for stage in range(k + 1, len(r))], axis=0)


def nbt_relative(r: np.ndarray, k: int) -> np.ndarray:
    """The same divided by |R[k, k]|: part of what was known (for errors: relative increase)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(r[k, k] == 0, np.nan, nbt(r, k) / np.abs(r[k, k]))


def mean_over_tasks(function: object, r: np.ndarray) -> np.ndarray:
    """Mean of `nbt` or `nbt_relative` over the tasks that have a later stage."""
    assert callable(function)
    return np.mean([function(r, k) for k in range(len(r) - 1)], axis=0)
