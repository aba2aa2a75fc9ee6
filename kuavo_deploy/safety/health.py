"""Are the figures all right? Levels as in diagnostic_msgs, bounds in one place.

| figure | WARN above | ERROR above |
|---|---|---|
| age of a sensor, of the plan in force | half of its maximum age | its maximum age |
| latency of chunks | half of a chunk's duration | a chunk's duration |
| commands missing from the rate | 5 % | 20 % |

A value at a bound is still within it; a figure that is not known is an ERROR.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Iterable, NamedTuple

from kuavo_deploy.safety.states import State

RATE_WARN = 0.05
RATE_ERROR = 0.20


class Level(IntEnum):
    """As in diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


_LEVELS = {
    State.RUN: Level.OK, State.READY: Level.OK, State.MOVE_TO_START: Level.OK,
    State.FAULT: Level.ERROR,
}  # fmt: skip


class Finding(NamedTuple):
    """A level and what it is about ('' when OK)."""

    level: Level
    text: str


def graded(what: str, value: float | None, warn: float, error: float, unit: str) -> Finding:
    """A figure that should be small."""
    if value is None or not math.isfinite(value):
        return Finding(Level.ERROR, f"{what} is not known")
    if value <= warn:
        return Finding(Level.OK, "")
    level, bound = (Level.WARN, warn) if value <= error else (Level.ERROR, error)
    return Finding(level, f"{what} {value:.3g} {unit}, more than {bound:.3g}")


def age(what: str, value: float | None, limit: float) -> Finding:
    """The age of something that may be at most `limit` old [s]."""
    return graded(f"age of {what}", value, limit / 2, limit, "s")


def latency(value: float, chunk: float) -> Finding:
    """From observation to chunk, of chunks that last `chunk` [s]."""
    return graded("latency", value, chunk / 2, chunk, "s")


def rate(value: float, wanted: float) -> Finding:
    """Commands per second; too many are no problem."""
    missing = 1.0 - value / wanted
    level = graded("", missing, RATE_WARN, RATE_ERROR, "").level
    return Finding(level, "" if level is Level.OK else f"{value:.1f} of {wanted:.0f} commands/s")


def state(now: State, reason: str) -> Finding:
    """Of the executor: waiting and standing for a reason is a warning, a fault an error."""
    return Finding(_LEVELS.get(now, Level.WARN), f"{now.value}: {reason}")


def together(findings: Iterable[Finding]) -> Finding:
    """The worst level, and everything that there is to say."""
    every = list(findings)
    worst = max((f.level for f in every), default=Level.OK)
    return Finding(worst, "; ".join(f.text for f in every if f.text))
