"""The robot's body: finite speeds, arms refused while walking, stance after, claws that close."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kuavo_sim.robot import HAND_SPEED, SETTLE_TIME, TURN_SPEED, WALK_SPEED, Robot
from kuavo_sim.simulation import Simulation

MARGIN = 1.05
"""The base is held by servos: it may be faster than the reference by a little."""
PRESS = 0.08
"""Fingers go this much further than told, so that a closed claw presses [share of closure]."""


@pytest.fixture(scope="module")
def sim():
    sim = Simulation("sorting", seed=0)
    sim.robot.gait_sway = 0.0
    return sim


@pytest.fixture
def robot(sim) -> Robot:
    """A robot that stands at the origin again, in the same simulation."""
    walk(sim, 0.0, 0.0, 0.0)
    return sim.robot


def run(sim, seconds: float) -> None:
    for _ in range(round(seconds / sim.timestep)):
        sim.step()


def walk(sim, x: float, y: float, yaw: float) -> tuple[float, float, float]:
    """Walk there; returns the time it took, the top speed and the top turning speed."""
    begin, speed, turn = sim.time, 0.0, 0.0
    sim.robot.walk_to(x, y, yaw)
    while sim.robot.walking:
        sim.step()
        vx, vy, rate = sim.robot.base_velocity
        speed, turn = max(speed, math.hypot(vx, vy)), max(turn, abs(rate))
        assert sim.time - begin < 30.0, "the walk never ends"
    return sim.time - begin, speed, turn


@example(x=0.0, y=0.0, yaw=5e-73)
@settings(max_examples=8, deadline=None)
@given(x=st.floats(-0.6, 0.25), y=st.floats(-0.5, 0.5), yaw=st.floats(-2.0, 2.0))
def test_it_walks_to_any_pose_at_a_finite_speed_and_stands_there(sim, x, y, yaw):
    walk(sim, 0.0, 0.0, 0.0)
    duration, speed, turn = walk(sim, x, y, yaw)
    assert np.allclose(sim.robot.base_pose, (x, y, yaw), atol=2e-3)
    assert speed < WALK_SPEED * MARGIN and turn < TURN_SPEED * MARGIN
    # it does not walk for less than a millimetre or a milliradian
    there = max(abs(x), abs(y), abs(yaw)) < 1e-3
    assert there or duration >= max(math.hypot(x, y) / WALK_SPEED, abs(yaw) / TURN_SPEED)
    assert np.abs(sim.robot.base_velocity).max() < 0.02


def test_a_walk_to_where_it_stands_is_no_walk(robot):
    robot.walk_to(*robot.walk_reference)
    assert not robot.walking


def test_arms_are_refused_while_it_walks_and_obeyed_in_stance_again(sim, robot):
    before = robot.arm_command
    target = before - 0.1
    robot.walk_to(0.1, 0.0, 0.0)
    refused = 0
    while robot.walking:
        assert robot.command_arms(target) is False
        assert np.array_equal(robot.arm_command, before)
        refused += 1
        sim.step()
    assert refused * sim.timestep > SETTLE_TIME
    assert np.abs(robot.arm_positions - before).max() < 0.02
    assert robot.command_arms(target) is True
    run(sim, 0.6)
    assert np.allclose(robot.arm_positions, target, atol=0.03)
    robot.command_arms(before)
    run(sim, 0.6)


def test_stance_is_only_reached_a_moment_after_the_last_step(sim, robot):
    robot.walk_to(-0.1, 0.0, 0.0)
    while np.abs(np.subtract(robot.walk_reference, (-0.1, 0, 0))).max() > 1e-6:
        sim.step()
    arrived = sim.time
    while robot.walking:
        sim.step()
    assert sim.time - arrived == pytest.approx(SETTLE_TIME, abs=0.01)


def test_stop_brakes_within_a_step_and_ends_the_walk(sim, robot):
    robot.walk_to(-0.6, 0.0, 0.0)
    run(sim, 1.0)
    at = robot.base_pose.x
    robot.stand()
    assert robot.walking
    run(sim, 1.5)
    assert not robot.walking
    assert -0.25 < robot.base_pose.x - at < 0.0
    assert np.abs(robot.base_velocity).max() < 0.01


def test_stop_in_stance_changes_nothing(sim, robot):
    before = robot.base_pose
    robot.stand()
    assert not robot.walking
    run(sim, 0.2)
    assert np.allclose(robot.base_pose, before, atol=1e-3)


def test_the_way_may_change_while_it_walks(sim, robot):
    robot.walk_to(-0.6, 0.0, 0.0)
    run(sim, 0.8)
    _, speed, turn = walk(sim, -0.2, 0.3, -0.8)
    assert np.allclose(robot.base_pose, (-0.2, 0.3, -0.8), atol=2e-3)
    assert speed < WALK_SPEED * MARGIN and turn < TURN_SPEED * MARGIN


def test_the_torso_sways_while_it_walks_if_told_so_and_never_in_stance(sim, robot):
    aside = {}
    for sway in (0.0, 0.012):
        walk(sim, 0.0, 0.0, 0.0)
        robot.gait_sway = sway
        robot.walk_to(-0.6, 0.0, 0.0)
        ys = []
        while robot.walking:
            sim.step()
            ys.append(robot.base_pose.y)
        aside[sway] = max(np.abs(ys))
        assert np.allclose(robot.base_pose, (-0.6, 0.0, 0.0), atol=2e-3)
    robot.gait_sway = 0.0
    assert aside[0.0] < 1e-3 and 0.005 < aside[0.012] < 0.02


def test_reaching_out_hardly_moves_the_base(sim, robot):
    before, rest = robot.base_pose, robot.arm_command
    worst = 0.0
    for part in np.linspace(0.0, 1.0, 200):
        robot.command_arms(rest + part * np.tile([-0.6, 0, 0, 0.6, 0, 0, 0], 2))
        sim.step()
        worst = max(worst, float(np.abs(np.subtract(robot.base_pose, before)).max()))
    robot.command_arms(rest)
    run(sim, 0.6)
    assert worst < 5e-3


@pytest.mark.parametrize("beyond", [10.0, -10.0])
def test_arm_commands_stop_at_the_joints_limits(sim, robot, beyond):
    rest = robot.arm_command
    robot.command_arms(np.full(14, beyond))
    ranges = np.array([sim.model.joint(f"{s}_arm_{i}").range for s in "lr" for i in range(1, 8)])
    assert np.allclose(robot.arm_command, ranges[:, 1 if beyond > 0 else 0])
    robot.command_arms(rest)


@settings(max_examples=10, deadline=None)
@given(
    target=st.floats(0.0, 1.0),
    speed=st.floats(0.5, HAND_SPEED),
    side=st.sampled_from([0, 1]),
)
def test_claws_move_at_a_finite_speed_to_where_they_are_told(sim, target, speed, side):
    robot = sim.robot
    robot.command_hands(np.zeros(2))
    run(sim, 0.8)
    command = np.zeros(2)
    command[side] = target
    robot.command_hands(command, speed)
    begin = robot.hand_closures[side]
    for period in range(1, 6):
        run(sim, 0.1)
        assert robot.hand_closures[side] - begin <= speed * 0.1 * period * (1 + PRESS) + 0.01
    run(sim, target / speed + 0.4)
    reached = robot.hand_closures
    assert (reached >= command - 0.02).all() and (reached <= command * (1 + PRESS) + 0.02).all()


def test_closures_are_between_open_and_closed(sim):
    sim.robot.command_hands(np.array([-3.0, 7.0]))
    assert np.array_equal(sim.robot.hand_command, [0.0, 1.0])
    run(sim, 1.0)
    assert (sim.robot.hand_closures >= 0).all() and (sim.robot.hand_closures <= 1).all()
    sim.robot.command_hands(np.zeros(2))


def test_the_head_follows_and_the_28_joints_are_in_the_robots_order(sim):
    robot = sim.robot
    robot.command_head(0.3, -0.2)
    run(sim, 1.0)
    joints = robot.joint_vector()
    assert joints.shape == (28,)
    assert np.array_equal(joints[12:26], robot.arm_positions)
    assert joints[26:] == pytest.approx([0.3, -0.2], abs=0.02)
