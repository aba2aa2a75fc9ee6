"""Critical intervals: the moments around a hand's closing or opening, where errors cost most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kuavo_deploy.robot.layout import HAND_INDICES
from kuavo_eval.metrics.hand_events import hand_events

MARGIN_S = 0.5
_SIDES = ("left", "right")


class Interval(NamedTuple):
    """Seconds since the episode's start, both ends included; label: what happens in it."""

    start: float
    end: float
    label: str


def seeded_intervals(actions: np.ndarray, fps: float, margin: float = MARGIN_S) -> list[Interval]:
    """Intervals of ± `margin` [s] around every hand event; those that touch are joined.

    Args:
        actions: recorded, shape (L, D).
        fps: frames a second.
        margin: before and after the event.
    """
    end = (len(actions) - 1) / fps
    found = []
    for side, index in zip(_SIDES, HAND_INDICES, strict=True):
        for event in hand_events(actions[:, index], fps):
            span = (max(event.time - margin, 0.0), min(event.time + margin, end))
            found.append(Interval(*span, f"{side} hand {event.kind}"))
    return joined(found)


def joined(intervals: Sequence[Interval]) -> list[Interval]:
    """The same in order of time; those that overlap or touch are one."""
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if merged and interval.start <= merged[-1].end:
            last = merged.pop()
            label = (
                last.label if interval.label in last.label else f"{last.label}, {interval.label}"
            )
            interval = Interval(last.start, max(last.end, interval.end), label)
        merged.append(interval)
    return merged


def frames_inside(interval: Interval, length: int, fps: float) -> slice:
    """The frames of an interval, in an episode of `length` frames."""
    first = int(np.ceil(interval.start * fps - 1e-9))
    last = int(np.floor(interval.end * fps + 1e-9))
    return slice(max(first, 0), min(last + 1, length))
