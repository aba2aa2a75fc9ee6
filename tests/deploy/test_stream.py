"""The arms' stream is bounded, smooth, and gets where it should."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuavo_deploy.safety.feedback import Sample
from kuavo_deploy.safety.stream import ArmStream

from .world import LIMITS, MIDDLE, Stream, assert_bounded

PERIOD = 0.01
SEEDS = st.integers(0, 2**32 - 1)
STILL = np.zeros(14)


def stream(speed: float = 1.0) -> ArmStream:
    return ArmStream(LIMITS, 0.02, speed)


def uniform(sent: list[np.ndarray]) -> Stream:
    return Stream(PERIOD * np.arange(len(sent)), np.array(sent))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.0, 50.0), st.integers(1, 40))
def test_whatever_is_asked_position_velocity_acceleration_and_jerk_are_bounded(
    seed: int, wild: float, every: int
) -> None:
    rng = np.random.default_rng(seed)
    arms = stream()
    sent = [arms.start(rng.uniform(LIMITS.lower, LIMITS.upper))]
    for tick in range(200):
        if tick % every == 0:
            position = rng.uniform(LIMITS.lower - 2, LIMITS.upper + 2)
            target = Sample(position, rng.normal(0, wild, 14), rng.normal(0, 10 * wild, 14))
        braking = rng.random() < 0.05
        sent.append(arms.brake(PERIOD) if braking else arms.follow(target, PERIOD))
    assert_bounded(uniform(sent), LIMITS)


RHYTHMS: dict[str, Callable[[np.random.Generator], float]] = {
    "jitter": lambda rng: rng.uniform(0.6, 1.4) * PERIOD,
    "late ticks": lambda rng: PERIOD if rng.random() < 0.8 else rng.uniform(0.01, 0.1),
    "bursts": lambda rng: rng.choice([0.0002, 0.001, 0.05]),
    "20 Hz": lambda rng: 0.05,
    "500 Hz": lambda rng: 0.002,
    "anything": lambda rng: 10 ** rng.uniform(-4, -0.31),
}


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0.0, 20.0), st.sampled_from(sorted(RHYTHMS)))
def test_whatever_the_rhythm_of_the_ticks_is_the_motion_is_bounded_in_real_time(
    seed: int, wild: float, rhythm: str
) -> None:
    rng = np.random.default_rng(seed)
    arms = stream()
    sent, times = [arms.start(rng.uniform(LIMITS.lower, LIMITS.upper))], [0.0]
    for tick in range(150):
        if tick % 10 == 0:
            position = rng.uniform(LIMITS.lower - 1, LIMITS.upper + 1)
            target = Sample(position, rng.normal(0, wild, 14), rng.normal(0, 10 * wild, 14))
        elapsed = float(RHYTHMS[rhythm](rng))
        times.append(times[-1] + elapsed)
        braking = rng.random() < 0.1
        sent.append(arms.brake(elapsed) if braking else arms.follow(target, elapsed))
    assert_bounded(Stream(np.array(times), np.array(sent)), LIMITS)


@pytest.mark.parametrize("rhythm", ["jitter", "late ticks", "20 Hz", "500 Hz"])
def test_in_any_rhythm_a_smooth_motion_is_followed_without_shaking(rhythm: str) -> None:
    rng = np.random.default_rng(0)
    arms = stream()
    sent, times = [arms.start(MIDDLE)], [0.0]
    while times[-1] < 6.0:
        elapsed = float(RHYTHMS[rhythm](rng))
        t = times[-1] + elapsed
        target = Sample(
            MIDDLE + 0.2 * np.sin(2 * t), STILL + 0.4 * np.cos(2 * t), STILL - 0.8 * np.sin(2 * t)
        )
        sent.append(arms.follow(target, elapsed))
        times.append(t)
    late = np.array(times) > 2.0
    wanted = MIDDLE + 0.2 * np.sin(2 * np.array(times))[:, None]
    assert np.abs(np.array(sent) - wanted)[late].max() < 2e-3


@pytest.mark.parametrize("elapsed", [0.0, -0.01, 0.6, np.nan])
def test_no_time_or_too_much_between_two_samples_is_refused(elapsed: float) -> None:
    arms = stream()
    arms.start(MIDDLE)
    with pytest.raises(ValueError, match="within"):
        arms.brake(elapsed)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_a_standing_target_is_reached_and_stays_reached(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arms = stream()
    arms.start(rng.uniform(LIMITS.lower + 0.02, LIMITS.upper - 0.02))
    goal = rng.uniform(LIMITS.lower + 0.02, LIMITS.upper - 0.02)
    sent = np.array([arms.follow(Sample(goal, STILL, STILL), PERIOD) for _ in range(500)])
    assert np.abs(sent[400:] - goal).max() < 1e-3
    assert not arms.moving


def test_a_smooth_motion_is_followed_without_lag_and_without_shaking() -> None:
    arms = stream()
    arms.start(MIDDLE)
    times = PERIOD * np.arange(1, 500)
    wanted = np.array([MIDDLE + 0.2 * np.sin(2 * t) for t in times])
    sent = np.array([
        arms.follow(Sample(row, STILL + 0.4 * np.cos(2 * t), STILL - 0.8 * np.sin(2 * t)), PERIOD)
        for row, t in zip(wanted, times, strict=True)
    ])
    assert np.abs(sent - wanted)[100:].max() < 1e-3
    jerk = np.abs(np.diff(sent[100:], 3, axis=0)).max() / PERIOD**3
    assert jerk < 5.0, "the motion's own jerk is 1.6 rad/s³"


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.0, 0.1), st.floats(0.1, 0.5))
def test_a_target_that_runs_away_is_chased_straight_and_caught(
    seed: int, ahead: float, speed: float
) -> None:
    """No joint backs up for a run-up, which would make it late and take the hand off its way."""
    rng = np.random.default_rng(seed)
    direction = rng.choice([-1.0, 1.0], 14)
    velocity = direction * speed * LIMITS.velocity * rng.uniform(0.1, 1.0, 14)
    arms = stream()
    sent, targets = [arms.start(MIDDLE - 0.3 * direction)], []
    for tick in range(1, 51):
        place = sent[0] + direction * ahead + velocity * tick * PERIOD
        targets.append(place)
        sent.append(arms.follow(Sample(place, velocity, STILL), PERIOD))
    way = direction * np.diff(sent, axis=0)
    began = np.array(sent[1:]) * direction > np.array(targets) * direction
    assert (way[~began] > -1e-5).all(), "backwards although the target is ahead"
    assert np.abs(sent[-1] - targets[-1]).max() < 0.01, "half a second later"
    assert_bounded(uniform(sent), LIMITS)


def test_the_first_sample_is_the_measured_posture_and_braking_stops_within_its_bound() -> None:
    arms = stream()
    assert (arms.start(MIDDLE) == MIDDLE).all()
    for _ in range(60):
        arms.follow(Sample(LIMITS.upper, STILL, STILL), PERIOD)
    assert arms.moving
    ticks = 0
    while arms.moving:
        arms.brake(PERIOD)
        ticks += 1
    assert ticks * PERIOD < 0.5


@pytest.mark.parametrize("outside", [0.01, 0.1, 0.3])
def test_a_joint_outside_its_limits_may_come_back_but_not_go_further(outside: float) -> None:
    start = MIDDLE.copy()
    start[3] = LIMITS.upper[3] + outside
    arms = stream()
    sent = [arms.start(start)]
    away = start.copy()
    away[3] += 0.5
    sent += [arms.follow(Sample(away, STILL, STILL), PERIOD) for _ in range(50)]
    assert np.array(sent)[:, 3].max() <= start[3] + 1e-9
    back = [arms.follow(Sample(MIDDLE, STILL, STILL), PERIOD) for _ in range(300)]
    assert abs(back[-1][3] - MIDDLE[3]) < 1e-3
    out_again = [arms.follow(Sample(away, STILL, STILL), PERIOD) for _ in range(300)]
    assert np.array(out_again)[:, 3].max() <= LIMITS.upper[3] - 0.02 + 1e-5


def test_a_slower_stream_is_slower() -> None:
    arms = stream(speed=0.3)
    sent = np.array(
        [arms.start(MIDDLE)]
        + [arms.follow(Sample(LIMITS.upper, STILL, STILL), PERIOD) for _ in range(300)]
    )
    velocity = np.abs(np.diff(sent, axis=0)) / PERIOD
    assert (velocity <= 0.3 * LIMITS.velocity).all()
    assert velocity.max() > 0.25 * LIMITS.velocity.min()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_stream_does_not_start_at_a_posture_that_is_not_finite(bad: float) -> None:
    start = MIDDLE.copy()
    start[5] = bad
    with pytest.raises(ValueError, match="finite"):
        stream().start(start)


@pytest.mark.parametrize("speed", [0.0, -1.0, 1.01, np.nan])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        stream(speed)


def test_nothing_sets_intermediate_positions_which_would_call_a_web_service(root: Path) -> None:
    files = list((root / "kuavo_deploy").rglob("*.py"))
    assert len(files) > 20
    used = [f for f in files if re.search(r"intermediate_positions", f.read_text())]
    assert not used
