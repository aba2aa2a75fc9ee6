"""Errors over a chunk's horizon: sums that can be added over frames and episodes.

Only targets inside the episode count: past its end a recorded chunk repeats its last action, and
a policy is not asked to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kuavo_eval.metrics.differences import differences


@dataclass(frozen=True)
class HorizonErrors:
    """Sums of absolute errors.

    sums: shape (T, D), over frames. counts: shape (T,), frames that had a target at that step.
    """

    sums: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, predicted: np.ndarray, recorded: np.ndarray, valid: np.ndarray) -> HorizonErrors:
        """Errors of some frames.

        Args:
            predicted: shape (N, T, ≥D).
            recorded: shape (N, T, D).
            valid: shape (N, T), false past the episode's end.
        """
        errors = np.abs(differences(predicted, recorded))
        kept = np.where(valid[..., None], errors, 0.0)
        return cls(kept.sum(axis=0), valid.sum(axis=0).astype(np.int64))

    def __add__(self, other: HorizonErrors) -> HorizonErrors:
        return HorizonErrors(self.sums + other.sums, self.counts + other.counts)

    def first(self, steps: int) -> HorizonErrors:
        """The first steps of the chunk alone."""
        return HorizonErrors(self.sums[:steps], self.counts[:steps])

    def per_joint(self) -> np.ndarray:
        """Mean absolute error of each number over all steps. Shape (D,); NaN without a target."""
        count = self.counts.sum()
        return self.sums.sum(axis=0) / count if count else np.full(self.sums.shape[1], np.nan)

    def curve(self) -> np.ndarray:
        """MAE(h) of each number, h = 1…T. Shape (T, D); NaN where no episode is long enough."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.sums / np.where(self.counts > 0, self.counts, np.nan)[:, None]
