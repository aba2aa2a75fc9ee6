"""A source is trusted up to its maximum age and no longer; wrong stamps don't count."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kuavo_deploy.safety.tracking import TrackingMonitor
from kuavo_deploy.safety.watchdog import Freshness

T = 0.2


def test_just_inside_the_bound_runs_and_just_outside_does_not() -> None:
    source = Freshness("/odom", T)
    assert source.problem(10.0) == "/odom is not there"
    assert source.saw(10.0, 10.0)
    assert source.problem(10.0 + T - 1e-6) is None
    assert source.problem(10.0 + T + 1e-6) == "/odom is 0.20 s old, 0.20 s are allowed"


@pytest.mark.parametrize(
    ("stamp", "said"),
    [(0.0, "no stamp"), (-1.0, "no stamp"), (math.nan, "no stamp"), (math.inf, "no stamp"),
     (10.06, "future"), (9.7, "late")],
)  # fmt: skip
def test_messages_with_an_impossible_stamp_do_not_count(stamp: float, said: str) -> None:
    source = Freshness("/odom", T, ahead=0.05)
    assert not source.saw(stamp, 10.0)
    assert said in (source.problem(10.0) or "")


def test_a_little_ahead_is_another_computer_s_clock() -> None:
    source = Freshness("/odom", T, ahead=0.05)
    assert source.saw(10.04, 10.0)


def test_time_running_backwards_does_not_count() -> None:
    source = Freshness("/odom", T)
    source.saw(10.0, 10.0)
    assert not source.saw(9.95, 10.01)
    assert source.problem(10.01) is None
    assert "backwards" in (source.problem(10.3) or "")


def test_a_source_comes_back() -> None:
    source = Freshness("/odom", T)
    source.saw(10.0, 10.0)
    assert source.problem(11.0)
    source.saw(11.0, 11.0)
    assert source.problem(11.1) is None
    assert source.age(11.1) == pytest.approx(0.1)


@pytest.mark.parametrize("age", [0.0, -1.0, math.nan])
def test_a_watchdog_without_a_bound_is_refused(age: float) -> None:
    with pytest.raises(ValueError, match="maximum age"):
        Freshness("/odom", age)


def test_arms_may_lag_for_a_moment_but_not_for_long() -> None:
    monitor = TrackingMonitor(limit=0.4, patience=0.3)
    away = np.zeros(14)
    away[13] = -0.5
    assert monitor.check(np.zeros(14), away, 0.0) is None
    assert monitor.check(np.zeros(14), away, 0.29) is None
    assert monitor.check(np.zeros(14), away, 0.31) == (
        "r_arm_7 does not follow: 0.50 rad from its command")
    assert monitor.check(np.zeros(14), np.zeros(14), 0.32) is None
    assert monitor.check(np.zeros(14), away, 0.33) is None
