"""Quantiles of a whole run in constant memory and time."""

from __future__ import annotations

import numpy as np


class Histogram:
    """Counts values in equal bins.

    Args:
        width: of a bin, which is the resolution of the quantiles.
        bins: values beyond the last count as its upper edge.
    """

    def __init__(self, width: float, bins: int) -> None:
        self._width = width
        self._counts = np.zeros(bins, dtype=np.int64)
        self.count = 0
        self.largest = 0.0

    def add(self, value: float) -> None:
        """One value, 0 or more."""
        self._counts[min(int(value / self._width), len(self._counts) - 1)] += 1
        self.count += 1
        self.largest = max(self.largest, value)

    def quantile(self, share: float) -> float:
        """The upper edge of the bin that a share of all values reaches; 0 without any."""
        if not self.count:
            return 0.0
        index = int(np.searchsorted(np.cumsum(self._counts), share * self.count))
        return float(min((index + 1) * self._width, self.largest))
