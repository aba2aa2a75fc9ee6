"""Arm modes and arm commands: what the robot's controller follows, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_sim.ros.arms import RETURN_SPEED, ArmControl
from kuavo_sim.ros.motion import Motion
from kuavo_sim.ros.refused import Refused

NEUTRAL = np.linspace(-0.5, 0.5, 14)
ELBOWS_90 = np.where(np.arange(14) % 7 == 3, -90.0, 0.0)
angles = st.lists(st.floats(-170, 170), min_size=14, max_size=14)


def listening() -> ArmControl:
    arms = ArmControl(NEUTRAL, NEUTRAL)
    arms.set_mode(2, 0.0)
    return arms


def test_external_commands_are_degrees() -> None:
    arms = listening()
    arms.follow(ELBOWS_90)
    assert arms.update(0.0, False)[3] == pytest.approx(-np.pi / 2)


@pytest.mark.parametrize("mode", [0, 1])
def test_only_mode_2_listens(mode: int) -> None:
    arms = ArmControl(NEUTRAL, NEUTRAL)
    arms.set_mode(mode, 0.0)
    for command in (
        lambda: arms.follow(ELBOWS_90),
        lambda: arms.follow_poses([1.0], ELBOWS_90, 0.0),
    ):
        with pytest.raises(Refused, match=f"mode {mode}.*mode 2"):
            command()
    assert (arms.update(5.0, False) == NEUTRAL).all()


def test_starts_in_mode_1_at_rest() -> None:
    arms = ArmControl(NEUTRAL, NEUTRAL)
    assert arms.mode == 1
    assert (arms.update(1.0, False) == NEUTRAL).all()


@pytest.mark.parametrize("mode", [-1, 3, 99])
def test_unknown_mode_lists_the_modes_and_changes_nothing(mode: int) -> None:
    arms = listening()
    with pytest.raises(Refused, match="0 keep, 1 auto swing, 2 external"):
        arms.set_mode(mode, 0.0)
    assert arms.mode == 2


@pytest.mark.parametrize("index", range(14))
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused_wherever_it_stands(index: int, bad: float) -> None:
    arms = listening()
    command = ELBOWS_90.copy()
    command[index] = bad
    with pytest.raises(Refused, match="not finite"):
        arms.follow(command)
    with pytest.raises(Refused, match="not finite"):
        arms.follow_poses([1.0, 2.0], np.concatenate([ELBOWS_90, command]), 0.0)
    assert (arms.update(3.0, False) == NEUTRAL).all()


@pytest.mark.parametrize("count", [0, 7, 13, 15, 28])
def test_another_number_of_joints_is_refused(count: int) -> None:
    with pytest.raises(Refused, match="expected 14"):
        listening().follow(np.zeros(count))


def test_walking_refuses_commands_and_ends_what_was_under_way() -> None:
    arms = listening()
    arms.follow_poses([2.0], ELBOWS_90, 0.0)
    halfway = arms.update(1.0, False).copy()
    assert (arms.update(1.002, True) == halfway).all()
    with pytest.raises(Refused, match="walks"):
        arms.follow(ELBOWS_90)
    assert (arms.update(5.0, True) == halfway).all()
    assert (arms.update(5.1, False) == halfway).all()
    arms.follow(ELBOWS_90)
    assert arms.update(5.2, False)[3] == pytest.approx(-np.pi / 2)


def test_mode_0_keeps_what_is_reached_in_mid_motion() -> None:
    arms = listening()
    arms.follow_poses([2.0], ELBOWS_90, 0.0)
    kept = arms.update(0.7, False).copy()
    arms.set_mode(0, 0.7)
    assert (arms.update(9.0, False) == kept).all()


def test_mode_1_goes_back_gently() -> None:
    arms = listening()
    arms.follow(ELBOWS_90)
    arms.update(0.0, False)
    arms.set_mode(1, 0.0)
    path = np.array([arms.update(t, False).copy() for t in np.arange(0, 12, 0.002)])
    speed = np.abs(np.diff(path, axis=0)).max() / 0.002
    assert speed == pytest.approx(RETURN_SPEED, rel=0.01)
    assert path[-1] == pytest.approx(NEUTRAL)


def test_mode_1_waits_for_the_walk_to_end() -> None:
    arms = listening()
    arms.follow(ELBOWS_90)
    there = arms.update(0.0, True).copy()
    arms.set_mode(1, 0.1)
    assert (arms.update(0.0, True) != there).sum() == 0
    arms.update(3.0, False)
    assert arms.update(30.0, False) == pytest.approx(NEUTRAL)


def test_target_poses_are_reached_at_their_times() -> None:
    arms = listening()
    second = ELBOWS_90 / 2
    arms.follow_poses([1.0, 2.5], np.concatenate([ELBOWS_90, second]), now=10.0)
    assert arms.update(10.0, False) == pytest.approx(NEUTRAL)
    assert arms.update(11.0, False) == pytest.approx(np.deg2rad(ELBOWS_90))
    assert arms.update(12.5, False) == pytest.approx(np.deg2rad(second))
    assert arms.update(99.0, False) == pytest.approx(np.deg2rad(second))


def test_a_new_command_replaces_the_poses() -> None:
    arms = listening()
    arms.follow_poses([1.0], ELBOWS_90, 0.0)
    arms.follow(np.zeros(14))
    assert (arms.update(2.0, False) == 0).all()


@pytest.mark.parametrize("times", [[], [0.0], [-1.0], [1.0, 1.0], [2.0, 1.0]])
def test_times_must_rise_from_above_zero(times: list[float]) -> None:
    with pytest.raises(Refused, match="times must rise"):
        listening().follow_poses(times, np.tile(ELBOWS_90, len(times)), 0.0)


def test_the_matrix_must_match_the_times() -> None:
    with pytest.raises(Refused, match="14 numbers, expected 28"):
        listening().follow_poses([1.0, 2.0], ELBOWS_90, 0.0)


@given(st.lists(angles, min_size=1, max_size=4), angles)
def test_motion_stays_between_its_way_points(points: list[list[float]], start: list[float]) -> None:
    values = np.array([start, *points])
    times = np.arange(1.0, len(points) + 1)
    motion = Motion(0.0, values[0], times, values[1:])
    for i in range(len(points)):
        piece = np.array([motion.at(t) for t in np.linspace(i, i + 1, 21)])
        low, high = np.minimum(values[i], values[i + 1]), np.maximum(values[i], values[i + 1])
        assert (piece >= low - 1e-6).all()
        assert (piece <= high + 1e-6).all()
