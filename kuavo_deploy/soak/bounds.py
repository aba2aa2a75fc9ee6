"""How near a recorded command stream came to its bounds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kuavo_deploy.robot.version import RobotLimits

RATES = ("velocity", "acceleration", "jerk")


class Stream(NamedTuple):
    """An uninterrupted stretch. times: shape (T,) [s]. arms: shape (T, 14) [rad]."""

    times: np.ndarray
    arms: np.ndarray


def streams(times: np.ndarray, arms: np.ndarray, gap: float) -> list[Stream]:
    """Commands, shapes (T,) [s] and (T, 14) [rad], cut where they are further apart than `gap`."""
    cuts = np.flatnonzero(np.diff(times) > gap) + 1
    pieces = zip(np.split(times, cuts), np.split(arms, cuts), strict=True)
    return [Stream(*piece) for piece in pieces if len(piece[0])]


def shares(stream: Stream, limits: RobotLimits) -> dict[str, float]:
    """The largest velocity, acceleration and jerk of a stream that began at rest; 1: at the limit.

    Rates are divided differences over the times of the samples, whatever their rhythm: of a motion
    with bounded derivatives they are bounded (mean value theorem), of no other.
    """
    times = np.concatenate([stream.times[0] + [-0.03, -0.02, -0.01], stream.times])
    rates = np.concatenate([np.repeat(stream.arms[:1], 3, axis=0), stream.arms])
    found = {}
    for order, name in enumerate(RATES, start=1):
        rates = order * np.diff(rates, axis=0) / (times[order:] - times[:-order])[:, None]
        found[name] = float((np.abs(rates) / getattr(limits, name)).max(initial=0.0))
    return found


def outside(stream: Stream, limits: RobotLimits) -> float:
    """How far a stream is outside the position limits, at most [rad]; 0 inside.

    A joint that was outside when the stream began (something has pushed it there) may come back.
    """
    lower = np.minimum(limits.lower, stream.arms[0])
    upper = np.maximum(limits.upper, stream.arms[0])
    excess = np.maximum(lower - stream.arms, stream.arms - upper)
    return float(np.maximum(excess, 0.0).max(initial=0.0))
