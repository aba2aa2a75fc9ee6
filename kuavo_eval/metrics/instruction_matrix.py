"""Does a policy follow its instruction? One frame, every instruction, the same noise."""

from __future__ import annotations

import numpy as np

TIE = 1e-9
"""Errors this close (relative) count as equal: a policy that ignores language gives equal ones."""


def identification(errors: np.ndarray, own: int) -> np.ndarray:
    """How far each frame's own instruction is identified by having the least error. Shape (N,).

    1 where it alone is least, 0 where another is lower, 1/n where n share the lowest place, so
    that a policy that ignores language is at chance, 1/K.

    Args:
        errors: shape (N, K), of K instructions.
        own: the frames' own.
    """
    least = errors.min(axis=1, keepdims=True)
    tied = errors <= least * (1 + TIE) + np.finfo(np.float64).tiny
    return tied[:, own] / tied.sum(axis=1)


def distance(one: np.ndarray, other: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Root mean square difference of chunks, in demonstrated spreads. Shape (…,).

    Args:
        one: shape (…, T, D).
        other: likewise.
        scale: shape (D,), what counts as 1 for each number.
    """
    dim = len(scale)
    gap = (np.asarray(one)[..., :dim] - np.asarray(other)[..., :dim]) / scale
    return np.sqrt((gap**2).mean(axis=(-2, -1)))


def moved_by(others: np.ndarray, own: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """How far chunks differ from the own ones, on average over the others. Shape (N,).

    Sensitivity to language = moved by other instructions ÷ moved by other noise.

    Args:
        others: under other instructions (same noise) or other noise, shape (M, N, T, D), M ≥ 1.
        own: under the frames' own instruction, shape (N, T, D).
        scale: see `distance`.
    """
    return distance(others, own[None], scale).mean(axis=0)


def sensitivity(by_language: float, by_noise: float) -> float:
    """‖A(l) − A(l′)‖ over the spread between seeds: how much the text moves the actions.

    0: language changes nothing. Infinite: it does, and noise doesn't.
    """
    if by_language == 0:
        return 0.0
    return by_language / by_noise if by_noise > 0 else float("inf")
