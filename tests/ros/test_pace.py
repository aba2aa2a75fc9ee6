"""Simulated time beside the wall clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_sim.ros.pace import MAX_LAG, Every, Pace, RateMeter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("rate", "wait"), [(1.0, 0.5), (2.0, 0.25), (0.5, 1.0)])
def test_a_step_is_due_at_its_time_over_the_rate(rate: float, wait: float) -> None:
    assert Pace(Clock(), rate).wait(0.5) == pytest.approx(wait)


def test_a_short_hiccup_is_caught_up() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now += 0.2
    assert pace.wait(0.002) == pytest.approx(-0.198)
    assert pace.lost == 0.0


def test_a_long_one_is_given_up() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now += MAX_LAG + 1.0
    assert pace.wait(0.0) == 0.0
    assert pace.lost == pytest.approx(MAX_LAG + 1.0)
    assert pace.wait(0.002) == pytest.approx(0.002)


def test_the_factor_is_measured() -> None:
    clock = Clock()
    pace = Pace(clock)
    for step in range(1, 701):
        clock.now += 0.004
        pace.wait(step * 0.002)
    assert pace.real_time_factor == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_is_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Pace(Clock(), rate)


@given(st.integers(1, 500), st.integers(0, 20))
def test_every_ticks_as_often_as_it_says(hz: int, second: int) -> None:
    every = Every(hz, 0.002)
    ticks = [step for step in range(second * 500, (second + 1) * 500) if every.due(step)]
    assert len(ticks) == hz
    assert ticks[0] == second * 500


def test_thirty_hertz_hits_every_control_period() -> None:
    every = Every(30, 0.002)
    assert all(every.due(step) for step in range(0, 5000, 50))


def test_zero_never_ticks_and_too_much_is_refused() -> None:
    assert not any(Every(0, 0.002).due(step) for step in range(1000))
    with pytest.raises(ValueError, match="0…500 Hz, not 501"):
        Every(501, 0.002)


def test_rate_meter_counts_since_the_last_reading() -> None:
    clock = Clock()
    meter = RateMeter(clock)
    for _ in range(30):
        meter.tick()
    clock.now += 2.0
    assert meter.read() == pytest.approx(15.0)
    clock.now += 1.0
    assert meter.read() == 0.0
