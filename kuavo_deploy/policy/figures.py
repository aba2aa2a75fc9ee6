"""What the planner measures about itself, for /diagnostics and the log."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from typing import Any

import numpy as np


class PlannerFigures:
    """Latencies and counts.

    Args:
        window: how many of the last chunks are measured: those of some hours.

    Attributes:
        chunks: published. stopped: reasons for having no chunk, with counts.
    """

    def __init__(self, window: int = 20_000) -> None:
        self.chunks = 0
        self.abandoned = 0
        self.stopped: Counter[str] = Counter()
        self._total: deque[float] = deque(maxlen=window)
        self._inference: deque[float] = deque(maxlen=window)
        self._acting: deque[float] = deque(maxlen=window)
        self._overlap: deque[float] = deque(maxlen=window)
        self._skew: deque[float] = deque(maxlen=window)

    def planned(
        self, total: float, inference: float, acting: float, overlap: float | None, skew: float
    ) -> None:
        """A chunk was published.

        Args:
            total: from the observation's stamp to the publication [s].
            inference: of it, decoding and the policy [s].
            acting: of it, from the joint state on [s].
            overlap: how much of the previous chunk was left [s].
            skew: the largest between the sources [s].
        """
        self.chunks += 1
        self._total.append(total)
        self._inference.append(inference)
        self._acting.append(acting)
        self._skew.append(skew)
        if overlap is not None:
            self._overlap.append(overlap)

    @property
    def latency(self) -> float:
        """From observation to publication, the slow end of the last ten chunks [s]."""
        return max(itertools.islice(reversed(self._total), 10), default=0.0)

    def summary(self) -> dict[str, Any]:
        """Everything, rounded, by name."""
        summary: dict[str, Any] = {"chunks": self.chunks, "abandoned at a switch": self.abandoned}
        for name, values in (
            ("latency", self._total), ("inference", self._inference),
            ("acting", self._acting),
            ("overlap", self._overlap), ("skew", self._skew),
        ):  # fmt: skip
            for share, label in ((0.5, "p50"), (0.99, "p99")):
                quantile = float(np.quantile(values, share)) if values else 0.0
                summary[f"{name} {label} [s]"] = round(quantile, 4)
        for reason, count in self.stopped.most_common(5):
            summary[f"stopped: {reason}"] = count
        return summary
