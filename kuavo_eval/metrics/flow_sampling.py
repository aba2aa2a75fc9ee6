"""What sampling does to a flow-matching policy: the same frame, K draws of noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kuavo_eval.metrics.differences import differences


class FlowSampling(NamedTuple):
    """One episode's or frame set's figures, in the unit of what was compared.

    mean: mean absolute error over all samples. best: of each frame's best sample.
    spread: mean standard deviation over samples. frames: how many.
    """

    mean: float
    best: float
    spread: float
    frames: int


def flow_sampling(
    samples: np.ndarray, recorded: np.ndarray, valid: np.ndarray, indices: list[int]
) -> FlowSampling:
    """Compare K samples of N frames with what was recorded.

    Args:
        samples: shape (K, N, T, ≥D).
        recorded: shape (N, T, D).
        valid: shape (N, T).
        indices: which of the D numbers.
    """
    errors = np.abs(differences(samples, recorded[None]))[..., indices].mean(axis=-1)
    counts = valid.sum(axis=1)
    per_frame = np.where(valid, errors, 0.0).sum(axis=-1) / counts
    deviations = np.asarray(samples, np.float64)[..., indices].std(axis=0).mean(axis=-1)
    spread = np.where(valid, deviations, 0.0).sum(axis=-1) / counts
    return FlowSampling(
        float(per_frame.mean()),
        float(per_frame.min(axis=0).mean()),
        float(spread.mean()),
        len(recorded),
    )
