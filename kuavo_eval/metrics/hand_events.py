"""When a hand closes and opens: a signal with hysteresis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

CLOSES, OPENS = "closes", "opens"
HIGH, LOW = 0.6, 0.4
"""Of the hand's way: above it is closed, below it open, in between as it was."""


class HandEvent(NamedTuple):
    """time [s] since the episode's start; kind: closes or opens."""

    time: float
    kind: str


def hand_events(
    signal: np.ndarray, fps: float, low: float = LOW, high: float = HIGH
) -> list[HandEvent]:
    """Changes of a hand's signal, shape (L,), 0 open … 1 closed.

    The hand begins as closed as its first value is; a signal that trembles between the two
    thresholds gives no event.
    """
    closed = bool(signal[0] >= (low + high) / 2) if len(signal) else False
    events = []
    for frame, value in enumerate(np.asarray(signal, np.float64)):
        if not closed and value >= high:
            events.append(HandEvent(frame / fps, CLOSES))
            closed = True
        elif closed and value <= low:
            events.append(HandEvent(frame / fps, OPENS))
            closed = False
    return events
