"""What sampling does to a flow-matching policy: the same frame, K draws of noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kuavo_eval.metrics.differences import differences


class FlowSampling(NamedTuple):
    """Figures of N frames, shape (N,) each, in the unit of what was compared.

    mean: mean absolute error over all samples. best: of the best sample. spread: standard
    deviation over samples.
    """

    mean: np.ndarray
    best: np.ndarray
    spread: np.ndarray


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
    deviations = np.asarray(samples, np.float64)[..., indices].std(axis=0).mean(axis=-1)
    counts = valid.sum(axis=1)
    per_sample = np.where(valid, errors, 0.0).sum(axis=-1) / counts
    spread = np.where(valid, deviations, 0.0).sum(axis=-1) / counts
    return FlowSampling(per_sample.mean(axis=0), per_sample.min(axis=0), spread)
