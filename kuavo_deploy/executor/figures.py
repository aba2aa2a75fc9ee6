"""What the executor counts and measures about itself, for /diagnostics and the log."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np


class ExecutorFigures:
    """Counts since the start, and the period of the last ticks.

    Args:
        period: what the time between ticks should be [s].
        window: how many ticks the jitter is measured over.

    Attributes:
        accepted, late, refused: plans. holds: by reason. overlap: of accepted plans, the part of
        the running plan that a new one replaced [s].
    """

    def __init__(self, period: float, window: int = 3000) -> None:
        self._period = period
        self._periods: deque[float] = deque(maxlen=window)
        self._last: float | None = None
        self.ages: deque[float] = deque(maxlen=window)
        self.overlaps: deque[float] = deque(maxlen=window)
        self.accepted = 0
        self.late: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def ticked(self, wall: float) -> None:
        """A tick at a monotonic wall time [s]."""
        if self._last is not None:
            self._periods.append(wall - self._last)
        self._last = wall

    def took(self, age: float, overlap: float | None) -> None:
        """A plan was accepted at an age, and replaced `overlap` seconds of another."""
        self.accepted += 1
        self.ages.append(age)
        if overlap is not None:
            self.overlaps.append(overlap)

    def summary(self) -> dict[str, Any]:
        """Everything, rounded, by name."""
        periods = np.array(self._periods)
        jitter = np.abs(periods - self._period) * 1e3
        summary: dict[str, Any] = {
            "rate [Hz]": round(1.0 / periods.mean(), 2) if periods.size else 0.0,
            "jitter p50 [ms]": _quantile(jitter, 0.5),
            "jitter p99 [ms]": _quantile(jitter, 0.99),
            "jitter max [ms]": _quantile(jitter, 1.0),
            "plans accepted": self.accepted,
            "plan age p50 [s]": _quantile(np.array(self.ages), 0.5),
            "plan age p99 [s]": _quantile(np.array(self.ages), 0.99),
            "plan overlap p50 [s]": _quantile(np.array(self.overlaps), 0.5),
        }
        for what, counts in (("late", self.late), ("refused", self.refused)):
            for reason, count in counts.most_common(5):
                summary[f"{what}: {reason}"] = count
        return summary


def _quantile(values: np.ndarray, share: float) -> float:
    return round(float(np.quantile(values, share)), 3) if values.size else 0.0
