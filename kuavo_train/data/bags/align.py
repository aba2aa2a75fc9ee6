"""Which messages belong to a frame: nearest in time, never farther than allowed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.tracks import Track

NANOSECONDS = 1_000_000_000
MAX_SILENCE = 2.0
"""A camera or sensor that starts later or stops earlier than the head camera by more [s] failed."""


class Need(NamedTuple):
    """A topic that every frame needs.

    what: its name in messages to people. offset: how far a message may be [s]. lead: it is
    needed so much after the frame [s]. held: the last message before counts, however old.
    trims: frames before its first and after its last message are left out, however many.
    """

    what: str
    track: Track
    offset: float
    lead: float = 0.0
    held: bool = False
    trims: bool = False


class Alignment(NamedTuple):
    """Frames and what belongs to them.

    times: shape (n,), int64 [ns]: the head camera's stamps. head: indices into its track.
    rows: for each need, shape (n,), indices into its track. notes: what was left out.
    """

    times: np.ndarray
    head: np.ndarray
    rows: list[np.ndarray]
    notes: list[str]


def align(head: Track, needs: list[Need], fps: int, head_offset: float) -> Alignment:
    """Pick frames at `fps` from the head camera and, for each, one message of every need.

    Args:
        head: the head camera's track.
        needs: everything else.
        fps: frames a second.
        head_offset: how far a head image may be from its place in the rhythm [s].

    Raises:
        BagRefused: a gap, or nothing in common.
    """
    start, stop, notes = _span(head, needs)
    chosen = _rhythm(head, start, stop, fps, head_offset)
    times = head.times[chosen]
    rows = [_rows(need, times) for need in needs]
    return Alignment(times, chosen, rows, notes)


def nearest(times: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """For each of `targets` the index of the nearest of `times`, both sorted int64 [ns]."""
    right = np.clip(np.searchsorted(times, targets), 1, max(1, len(times) - 1))
    right = np.minimum(right, len(times) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(targets - times[left] <= times[right] - targets, left, right)


def last_before(times: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """For each target the index of the last of `times` at or before it; the first if none is."""
    return np.maximum(np.searchsorted(times, targets, side="right") - 1, 0)


def _span(head: Track, needs: list[Need]) -> tuple[int, int, list[str]]:
    """First and last moment [ns] at which everything is there."""
    start, stop = int(head.times[0]), int(head.times[-1])
    notes = []
    for need in needs:
        reach = round((need.offset) * NANOSECONDS)
        lead = round(need.lead * NANOSECONDS)
        first = int(need.track.times[0]) - lead - reach
        last = int(need.track.times[-1]) - lead + reach
        late, early = (first - head.times[0]) / 1e9, (head.times[-1] - last) / 1e9
        if not need.trims:
            for silence, verb in ((late, "starts %.1f s after"), (early, "stops %.1f s before")):
                if silence > MAX_SILENCE:
                    raise BagRefused(f"{need.what} {verb % silence} the head camera")
        elif late > need.offset or early > need.offset + need.lead:
            notes.append(
                f"{need.what} begins {max(late, 0):.1f} s after the head camera and ends "
                f"{max(early, 0):.1f} s before it: frames outside are left out"
            )
        start = max(start, first)
        if not need.held:
            stop = min(stop, last)
    if stop <= start:
        raise BagRefused("its topics have no time in common")
    return start, stop, notes


def _rhythm(head: Track, start: int, stop: int, fps: int, offset: float) -> np.ndarray:
    inside = np.flatnonzero((head.times >= start) & (head.times <= stop))
    if not len(inside):
        raise BagRefused("the head camera has no image while the other topics are there")
    origin = int(head.times[inside[0]])
    period = NANOSECONDS // fps
    grid = origin + np.arange((stop - origin) // period + 1, dtype=np.int64) * period
    chosen = nearest(head.times, grid)
    if head.times[chosen[-1]] > stop:
        grid, chosen = grid[:-1], chosen[:-1]
    if len(chosen) < 2:
        raise BagRefused(f"only {len(chosen)} frame(s) at {fps} Hz: too short for an episode")
    _check_offsets("the head camera", head.times[chosen] - grid, grid - origin, offset)
    if (np.diff(chosen) < 1).any():
        raise BagRefused(f"the head camera is slower than {fps} Hz")
    return chosen


def _rows(need: Need, times: np.ndarray) -> np.ndarray:
    targets = times + round(need.lead * NANOSECONDS)
    if need.held:
        return last_before(need.track.times, targets)
    rows = nearest(need.track.times, targets)
    _check_offsets(need.what, need.track.times[rows] - targets, times - times[0], need.offset)
    return rows


def _check_offsets(what: str, error: np.ndarray, since: np.ndarray, limit: float) -> None:
    worst = int(np.argmax(np.abs(error)))
    if abs(int(error[worst])) > limit * NANOSECONDS:
        raise BagRefused(
            f"{what} has nothing within {limit * 1e3:.0f} ms of frame {worst} "
            f"({since[worst] / 1e9:.1f} s after the first): the nearest is "
            f"{abs(int(error[worst])) / 1e6:.0f} ms away"
        )
