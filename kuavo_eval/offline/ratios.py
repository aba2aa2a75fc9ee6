"""Many figures of the same episodes, their intervals from one resampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kuavo_eval.statistics.bootstrap import bootstrap_ratio
from kuavo_eval.statistics.quantity import Quantity


class Ratios:
    """Collects figures that are a sum over episodes by another sum over the same episodes.

    Args:
        episodes: how many.
        why: given to every figure instead of a value, when there is none.
    """

    def __init__(self, episodes: int, why: str = "") -> None:
        self.episodes, self._why = episodes, why
        self._rows: dict[str, tuple[np.ndarray, np.ndarray, str]] = {}

    def add(self, name: str, sums: ArrayLike, counts: ArrayLike, unit: str) -> None:
        """One figure; both of shape (E,). An episode without any count says nothing."""
        above = np.broadcast_to(np.asarray(sums, np.float64), self.episodes)
        below = np.broadcast_to(np.asarray(counts, np.float64), self.episodes)
        self._rows[name] = np.where(below == 0, 0.0, above), below, unit

    def mean(self, name: str, values: ArrayLike, unit: str) -> None:
        """A mean over episodes, shape (E,); NaN where an episode has no value."""
        known = np.asarray(values, np.float64)
        finite = np.isfinite(known)
        self.add(name, np.where(finite, known, 0.0), finite.astype(float), unit)

    def per_frame(self, name: str, values: np.ndarray, owners: np.ndarray, unit: str) -> None:
        """A mean over frames, shape (N,), which belong to the episodes `owners`, shape (N,)."""
        sums = np.bincount(owners, values, self.episodes)
        self.add(name, sums, np.bincount(owners, minlength=self.episodes), unit)

    def quantities(self, seed: int) -> dict[str, Quantity]:
        """All figures by name; equal seeds resample the same episodes."""
        if not self._rows:
            return {}
        if self._why:
            return {
                name: Quantity(None, unit, n=self.episodes, of="episodes", why=self._why)
                for name, (_, _, unit) in self._rows.items()
            }
        sums = np.stack([above for above, _, _ in self._rows.values()])
        counts = np.stack([below for _, below, _ in self._rows.values()])
        drawn = bootstrap_ratio(sums, counts, seed=seed)
        return {
            name: drawn.quantity(unit, i)
            for i, (name, (_, _, unit)) in enumerate(self._rows.items())
        }
