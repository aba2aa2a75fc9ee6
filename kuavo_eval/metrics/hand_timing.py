"""Hand timing: predicted events against recorded ones, one to one within a tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from kuavo_eval.metrics.hand_events import CLOSES, OPENS, HandEvent

TOLERANCE_S = 0.3
CHATTER_S = 0.5
_FAR = 1e6


@dataclass(frozen=True)
class HandTiming:
    """Counts that can be added over hands and episodes.

    recorded, predicted, matched: events. lags: predicted − recorded of each match [s].
    chatter: predicted events that undo the one before within 0.5 s and match nothing.
    """

    recorded: int = 0
    predicted: int = 0
    matched: int = 0
    lags: tuple[float, ...] = ()
    chatter: int = 0

    def __add__(self, other: HandTiming) -> HandTiming:
        return HandTiming(
            self.recorded + other.recorded,
            self.predicted + other.predicted,
            self.matched + other.matched,
            self.lags + other.lags,
            self.chatter + other.chatter,
        )

    @property
    def precision(self) -> float:
        """Share of predicted events that were recorded; NaN when none was predicted."""
        return _share(self.matched, self.predicted)

    @property
    def recall(self) -> float:
        """Share of recorded events that were predicted; NaN when none was recorded."""
        return _share(self.matched, self.recorded)

    @property
    def f1(self) -> float:
        """Harmonic mean of both: 2·matched / (predicted + recorded)."""
        return _share(2 * self.matched, self.predicted + self.recorded)

    @property
    def lag(self) -> float:
        """Mean signed lag of the matches [s]: positive is late. NaN without a match."""
        return float(np.mean(self.lags)) if self.lags else float("nan")


def hand_timing(
    recorded: Sequence[HandEvent], predicted: Sequence[HandEvent], tolerance: float = TOLERANCE_S
) -> HandTiming:
    """Compare one hand's events of one episode.

    Matching pairs as many events of the same kind as possible, and among those pairings takes
    the one with the least sum of |lag|.

    Args:
        recorded: in order of time.
        predicted: likewise.
        tolerance: of a match [s].
    """
    lags: list[float] = []
    for kind in (CLOSES, OPENS):
        lags += _matched_lags(
            [event.time for event in recorded if event.kind == kind],
            [event.time for event in predicted if event.kind == kind],
            tolerance,
        )
    spurious = max(len(predicted) - len(lags), 0)
    return HandTiming(
        len(recorded), len(predicted), len(lags), tuple(lags), min(_undone(predicted), spurious)
    )


def _matched_lags(recorded: list[float], predicted: list[float], tolerance: float) -> list[float]:
    if not recorded or not predicted:
        return []
    lags = np.subtract.outer(predicted, recorded)
    # a frame's time is a decimal fraction: 0.3 s may come out as 0.30000000000000004
    near = np.abs(lags) <= tolerance + 1e-9
    rows, columns = linear_sum_assignment(np.where(near, np.abs(lags), _FAR))
    return [float(lags[r, c]) for r, c in zip(rows, columns, strict=True) if near[r, c]]


def _undone(events: Sequence[HandEvent]) -> int:
    times = np.array([event.time for event in events])
    return int((np.diff(times) <= CHATTER_S + 1e-9).sum())


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
