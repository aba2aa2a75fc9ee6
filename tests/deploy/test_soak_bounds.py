"""The measure of recorded command streams, against motions whose rates are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kuavo_deploy.soak.bounds import Stream, outside, shares, streams

from .world import LIMITS, MIDDLE

FLAT = replace(
    LIMITS, velocity=np.full(14, 2.0), acceleration=np.full(14, 10.0), jerk=np.full(14, 100.0)
)


def ramp(times: np.ndarray, jerk: float) -> Stream:
    """From rest with a constant jerk [rad/s³]."""
    return Stream(times, MIDDLE + (jerk * (times - times[0]) ** 3 / 6)[:, None] * np.ones(14))


@pytest.mark.parametrize("seed", range(3))
def test_a_constant_jerk_is_found_in_any_rhythm_and_nothing_above_it(seed: int) -> None:
    steps = np.random.default_rng(seed).uniform(0.001, 0.04, 40)
    times = np.concatenate([[0.0], np.cumsum(steps)])
    found = shares(ramp(times, 10.0), FLAT)
    assert found["jerk"] == pytest.approx(0.1, rel=1e-5)
    assert found["acceleration"] <= 10.0 * times[-1] / 10.0
    assert found["velocity"] <= 10.0 * times[-1] ** 2 / 2 / 2.0


def test_a_sample_that_is_missing_from_its_rhythm_shows() -> None:
    times = 0.01 * np.arange(100)
    arms = MIDDLE + (times**2 / 2)[:, None] * np.ones(14)
    assert shares(Stream(times, arms), FLAT)["acceleration"] == pytest.approx(0.1)
    times[50:] -= 0.005
    assert shares(Stream(times, arms), FLAT)["acceleration"] > 1.0


def test_streams_are_cut_at_gaps_and_positions_are_measured_against_the_limits() -> None:
    times = np.array([0.0, 0.01, 0.02, 0.2, 0.21])
    arms = np.tile(MIDDLE, (5, 1))
    assert [len(part.times) for part in streams(times, arms, 0.1)] == [3, 2]
    assert outside(Stream(times, arms), LIMITS) == 0.0
    arms[4, 3] = LIMITS.upper[3] + 0.25
    assert outside(Stream(times, arms), LIMITS) == pytest.approx(0.25)
    back = arms[::-1].copy()
    assert outside(Stream(times, back), LIMITS) == 0.0, "it began there and came back"
