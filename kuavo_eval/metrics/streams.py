"""From overlapping chunks to one stream of actions: averaged over chunks, or one after another."""

from __future__ import annotations

import numpy as np

from kuavo_eval.metrics.differences import wrapped
from kuavo_eval.metrics.parts import YAW

DECAY = 0.01
"""ACT's m: how much less a newer prediction weighs than an older one, per prediction."""


def temporal_ensemble(
    chunks: np.ndarray, frames: np.ndarray, length: int, decay: float = DECAY
) -> np.ndarray:
    """Average of all that was predicted for a frame, weights exp(−m·i), i = 0 the oldest.

    As in ACT (Zhao et al. 2023, arXiv 2304.13705, section IV-A).

    Args:
        chunks: shape (N, T, D).
        frames: shape (N,), ascending: where each chunk begins.
        length: frames of the episode.
        decay: m.

    Returns:
        Shape (length, D); NaN where nothing was predicted.
    """
    steps, dim = chunks.shape[1:]
    total, weights = np.zeros((length, dim)), np.zeros(length)
    older = np.zeros(length, np.int64)
    first = np.full((length, dim), np.nan)
    for chunk, frame in zip(np.asarray(chunks, np.float64), frames, strict=True):
        span = slice(int(frame), min(int(frame) + steps, length))
        part = chunk[: span.stop - span.start].copy()
        new = older[span] == 0
        first[span][new] = part[new]
        if dim > YAW:
            part[:, YAW] = first[span, YAW] + wrapped(part[:, YAW] - first[span, YAW])
        weight = np.exp(-decay * older[span])
        total[span] += weight[:, None] * part
        weights[span] += weight
        older[span] += 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / weights[:, None]


def executed(
    chunks: np.ndarray, frames: np.ndarray, length: int, replan: int
) -> tuple[np.ndarray, np.ndarray]:
    """Chunks executed one after another, unblended: a new one every `replan` frames.

    Args:
        chunks: shape (N, T, D).
        frames: shape (N,), ascending, the first is 0.
        length: frames of the episode.
        replan: frames until the next chunk, at least.

    Returns:
        The stream, shape (length, D), and the frames at which a new chunk begins. A chunk that
        ends before the next one is there keeps its last action.
    """
    steps, dim = chunks.shape[1:]
    stream = np.empty((length, dim))
    starts: list[int] = []
    for chunk, frame in zip(chunks, frames, strict=True):
        if starts and frame < starts[-1] + replan:
            continue
        starts.append(int(frame))
        rest = np.arange(length - int(frame))
        stream[int(frame) :] = chunk[np.minimum(rest, steps - 1)]
    return stream, np.array(starts[1:], np.int64)
