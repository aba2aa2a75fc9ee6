"""What the executor counts and measures about itself, for /diagnostics and the log."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np

from kuavo_deploy.executor.histogram import Histogram

_BIN = 5e-5
_BINS = 4000
"""Jitter is known to 0.05 ms, up to 0.2 s."""


class ExecutorFigures:
    """Counts and jitter since the start; rate of the last ticks; ages and overlaps of plans.

    Args:
        period: what the time between ticks should be [s].
        window: ticks that the rate is measured over, and plans that are remembered.

    Attributes:
        accepted, late, refused: plans, the last two by reason. overlaps: of accepted plans, the
        part of the running plan that a new one replaced [s]. jitter: |period − wanted| [s].
    """

    def __init__(self, period: float, window: tuple[int, int] = (100, 20_000)) -> None:
        self._period = period
        self._ticks: deque[float] = deque(maxlen=window[0])
        self.jitter = Histogram(_BIN, _BINS)
        self.ages: deque[float] = deque(maxlen=window[1])
        self.overlaps: deque[float] = deque(maxlen=window[1])
        self.accepted = 0
        self.late: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def ticked(self, now: float) -> None:
        """A tick [s]."""
        if self._ticks:
            self.jitter.add(abs(now - self._ticks[-1] - self._period))
        self._ticks.append(now)

    @property
    def rate(self) -> float:
        """Ticks per second, of the last ones; 0 when there are not two."""
        if len(self._ticks) < 2 or self._ticks[-1] <= self._ticks[0]:
            return 0.0
        return (len(self._ticks) - 1) / (self._ticks[-1] - self._ticks[0])

    def took(self, age: float, overlap: float | None) -> None:
        """A plan was accepted at an age, and replaced `overlap` seconds of another."""
        self.accepted += 1
        self.ages.append(age)
        if overlap is not None:
            self.overlaps.append(overlap)

    def summary(self) -> dict[str, Any]:
        """Everything, rounded, by name."""
        summary: dict[str, Any] = {
            "rate [Hz]": round(self.rate, 2),
            "ticks": self.jitter.count,
            "jitter p50 [ms]": round(self.jitter.quantile(0.5) * 1e3, 3),
            "jitter p99 [ms]": round(self.jitter.quantile(0.99) * 1e3, 3),
            "jitter max [ms]": round(self.jitter.largest * 1e3, 3),
            "plans accepted": self.accepted,
            "plan age p50 [s]": _quantile(self.ages, 0.5),
            "plan age p99 [s]": _quantile(self.ages, 0.99),
            "plan overlap p50 [s]": _quantile(self.overlaps, 0.5),
            "plan overlap min [s]": _quantile(self.overlaps, 0.0),
        }
        for what, counts in (("late", self.late), ("refused", self.refused)):
            for reason, count in counts.most_common(5):
                summary[f"{what}: {reason}"] = count
        return summary


def _quantile(values: deque[float], share: float) -> float:
    return round(float(np.quantile(values, share)), 3) if values else 0.0
