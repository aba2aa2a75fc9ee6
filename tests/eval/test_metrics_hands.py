"""Hand events, their matching, critical intervals: known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_eval.metrics.critical_intervals import (
    Interval,
    frames_inside,
    joined,
    seeded_intervals,
)
from kuavo_eval.metrics.hand_events import CLOSES, OPENS, HandEvent, hand_events
from kuavo_eval.metrics.hand_timing import HandTiming, hand_timing

FPS = 10.0


def events(*times: float, kind: str = CLOSES) -> list[HandEvent]:
    return [HandEvent(time, kind) for time in times]


def test_a_hand_closes_and_opens_once():
    signal = np.array([0, 0, 0.5, 0.7, 1, 1, 0.5, 0.3, 0])
    assert hand_events(signal, FPS) == [HandEvent(0.3, CLOSES), HandEvent(0.7, OPENS)]


def test_trembling_between_the_thresholds_is_no_event():
    assert hand_events(np.tile([0.45, 0.55], 20), FPS) == []


def test_a_hand_that_begins_closed_only_opens():
    assert hand_events(np.array([1.0, 1.0, 0.0]), FPS) == [HandEvent(0.2, OPENS)]
    assert hand_events(np.array([]), FPS) == []


@given(st.lists(st.floats(-0.2, 1.2), max_size=40))
def test_events_alternate(signal):
    kinds = [event.kind for event in hand_events(np.array(signal), FPS)]
    assert all(a != b for a, b in zip(kinds, kinds[1:], strict=False))


def test_matching_is_one_to_one_within_the_tolerance():
    found = hand_timing(events(1.0, 2.0), events(1.3, 1.1, 9.0))
    assert (found.recorded, found.predicted, found.matched) == (2, 3, 1)
    assert found.lags == (pytest.approx(0.1),)
    assert found.precision == pytest.approx(1 / 3)
    assert found.recall == 0.5
    assert found.f1 == pytest.approx(0.4)


def test_matching_prefers_more_matches_over_nearer_ones():
    found = hand_timing(events(1.0, 1.4), events(0.8, 1.1))
    assert found.matched == 2
    assert sorted(found.lags) == [pytest.approx(-0.3), pytest.approx(-0.2)]


def test_closing_never_matches_opening():
    found = hand_timing(events(1.0), events(1.0, kind=OPENS))
    assert found.matched == 0 and found.recall == 0.0 and math.isnan(found.lag)


def test_lag_keeps_its_sign():
    assert hand_timing(events(1.0), events(1.2)).lag == pytest.approx(0.2)
    assert hand_timing(events(1.0), events(0.8)).lag == pytest.approx(-0.2)


def test_no_events_give_no_shares():
    nothing = hand_timing([], [])
    assert math.isnan(nothing.precision) and math.isnan(nothing.recall) and math.isnan(nothing.f1)
    assert hand_timing(events(1.0), []).f1 == 0.0


def test_chatter_is_what_undoes_itself_and_matches_nothing():
    flutter = [HandEvent(1.0, CLOSES), HandEvent(1.2, OPENS), HandEvent(1.4, CLOSES)]
    assert hand_timing(events(1.0), flutter).chatter == 2
    assert hand_timing(flutter, flutter).chatter == 0, "the demonstration did it too"


def test_timings_add_up():
    one, other = hand_timing(events(1.0), events(1.1)), hand_timing(events(1.0), [])
    total = one + other
    assert total == HandTiming(2, 1, 1, one.lags, 0)
    assert total.recall == 0.5


def actions_with_hand(signal: np.ndarray) -> np.ndarray:
    actions = np.zeros((len(signal), 16))
    actions[:, 15] = signal
    return actions


def test_intervals_around_hand_events():
    signal = np.zeros(60)
    signal[20:40] = 1.0
    found = seeded_intervals(actions_with_hand(signal), FPS, margin=0.5)
    assert [(i.start, i.end) for i in found] == [(1.5, 2.5), (3.5, 4.5)]
    assert [i.label for i in found] == ["right hand closes", "right hand opens"]


def test_intervals_that_touch_are_one_and_stay_inside_the_episode():
    signal = np.zeros(12)
    signal[2:8] = 1.0
    (found,) = seeded_intervals(actions_with_hand(signal), FPS, margin=0.5)
    assert found == Interval(0.0, 1.1, "right hand closes, right hand opens")
    assert joined([found, found]) == [found]


def test_frames_of_an_interval_include_both_ends():
    assert frames_inside(Interval(0.3, 0.7, ""), 20, FPS) == slice(3, 8)
    assert frames_inside(Interval(0.25, 0.75, ""), 20, FPS) == slice(3, 8)
    assert frames_inside(Interval(-1.0, 9.0, ""), 20, FPS) == slice(0, 20)
