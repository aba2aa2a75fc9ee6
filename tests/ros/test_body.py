"""The robot as its topics see it, in a real simulation, without ROS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import get_end_effector
from kuavo_deploy.robot.version import load_limits
from kuavo_sim.robot import TURN_SPEED, WALK_SPEED
from kuavo_sim.ros.world import World
from kuavo_train.tasks.registry import configs_root

# elbows more bent than at the start of the scene: clear of all furniture
LIFTED = np.where(np.arange(14) % 7 == 3, -0.35, 0.0)


def posture(world: World) -> np.ndarray:
    """[deg]"""
    return np.rad2deg(world.sim.scene.start_arms + LIFTED)


def run(world: World, seconds: float) -> None:
    for _ in range(round(seconds * 500)):
        world.step()


def external(world: World) -> None:
    assert world.command("mode", lambda b: b.arms.set_mode(2, world.now)) is None


def walk(world: World, x: float, y: float, yaw: float) -> str | None:
    return world.command(topics.CMD_POSE_WORLD, lambda b: b.base.walk_to(x, y, yaw))


def arms(world: World, degrees: np.ndarray) -> str | None:
    return world.command(topics.ARM_TRAJ, lambda b: b.arms.follow(degrees))


def test_nothing_moves_without_a_command(world: World) -> None:
    before = world.sim.robot.joint_vector()
    run(world, 1.0)
    assert world.sim.robot.joint_vector() == pytest.approx(before, abs=2e-3)


def test_degrees_in_radians_reached(world: World) -> None:
    external(world)
    assert arms(world, posture(world)) is None
    run(world, 1.5)
    assert world.sim.robot.arm_positions == pytest.approx(np.deg2rad(posture(world)), abs=0.01)


def test_commands_beyond_a_joints_limit_stop_at_it(world: World) -> None:
    external(world)
    too_far = posture(world)
    too_far[3] = 90.0
    assert arms(world, too_far) is None
    run(world, 2.0)
    assert world.sim.robot.arm_positions[3] == pytest.approx(0.0, abs=0.02)


def test_the_limits_are_those_of_the_robots_version(world: World) -> None:
    upper = world.sim.scene.start_arms + 0.1
    limits = load_limits(45, configs_root() / "robot")
    world = World("weighing", 3, get_end_effector("lejuclaw"), replace(limits, upper=upper))
    external(world)
    assert arms(world, np.rad2deg(world.sim.scene.start_arms + 0.2)) is None
    run(world, 0.1)
    assert world.sim.robot.arm_command == pytest.approx(upper)


def test_walking_is_finite_and_refuses_arms_until_it_stands(world: World) -> None:
    external(world)
    before = world.sim.robot.arm_positions
    assert walk(world, -0.6, 0.2, 0.5) is None
    run(world, 0.5)
    assert world.sim.robot.walking
    refused = arms(world, posture(world))
    assert refused is not None
    assert "walks" in refused
    assert world.refusals[refused] == 1
    speeds = []
    for _ in range(2500):
        world.step()
        speeds.append(np.hypot(*world.sim.robot.base_velocity[:2]))
    assert max(speeds) < WALK_SPEED * 1.1
    assert tuple(world.sim.robot.base_pose) == pytest.approx((-0.6, 0.2, 0.5), abs=5e-3)
    assert world.sim.robot.arm_positions == pytest.approx(before, abs=0.01)
    assert arms(world, posture(world)) is None
    run(world, 1.5)
    assert world.sim.robot.arm_positions == pytest.approx(np.deg2rad(posture(world)), abs=0.01)


def test_a_world_pose_is_turned_to_the_short_way(world: World) -> None:
    walk(world, 0.0, 0.0, 2 * np.pi - 0.3)
    run(world, 3.0)
    assert world.sim.robot.base_pose.yaw == pytest.approx(-0.3, abs=0.01)


def test_cmd_pose_is_relative_to_the_robot(world: World) -> None:
    walk(world, -0.5, 0.0, np.pi / 2)
    run(world, 5.0)
    world.command(topics.CMD_POSE, lambda b: b.base.walk_by(0.3, 0.1, 0.2))
    run(world, 4.0)
    pose = world.sim.robot.base_pose
    assert tuple(pose) == pytest.approx((-0.6, 0.3, np.pi / 2 + 0.2), abs=0.01)


def test_cmd_vel_goes_at_its_speed_and_times_out(world: World) -> None:
    for _ in range(20):
        world.command(topics.CMD_VEL, lambda b: b.base.walk_with(-0.2, 0.0, 0.0, world.now))
        run(world, 0.1)
    assert world.sim.robot.base_velocity.x == pytest.approx(-0.2, abs=0.01)
    run(world, 0.5 + 1.5)
    assert world.sim.robot.base_velocity.x == pytest.approx(0.0, abs=1e-3)
    assert not world.sim.robot.walking


def test_cmd_vel_is_bounded_and_zero_stops(world: World) -> None:
    for _ in range(15):
        world.command(topics.CMD_VEL, lambda b: b.base.walk_with(-9.0, 0.0, 9.0, world.now))
        run(world, 0.1)
    velocity = world.sim.robot.base_velocity
    assert np.hypot(velocity.x, velocity.y) == pytest.approx(WALK_SPEED, rel=0.1)
    assert velocity.yaw == pytest.approx(TURN_SPEED, rel=0.1)
    world.command(topics.CMD_VEL, lambda b: b.base.walk_with(0.0, 0.0, 0.0, world.now))
    run(world, 2.0)
    assert not world.sim.robot.walking


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_walking_commands_must_be_finite(world: World, bad: float) -> None:
    refused = [
        walk(world, bad, 0.0, 0.0),
        world.command("v", lambda b: b.base.walk_with(0.0, bad, 0.0, world.now)),
        world.command("p", lambda b: b.base.walk_by(0.0, 0.0, bad)),
        world.command("h", lambda b: b.turn_head([bad, 0.0])),
    ]
    assert all(reason and "not finite" in reason for reason in refused)
    run(world, 0.2)
    assert not world.sim.robot.walking


def test_reasons_are_counted_without_their_numbers(world: World) -> None:
    external(world)
    for first in range(5):
        world.command(
            "t", lambda b, first=first: b.arms.follow_poses([-first], np.zeros(14), world.now)
        )
    assert list(world.refusals.values()) == [5]


def test_head_follows_degrees(world: World) -> None:
    world.command(topics.HEAD_COMMAND, lambda b: b.turn_head([20.0, 10.0]))
    run(world, 1.0)
    assert world.sim.robot.head_positions == pytest.approx(np.deg2rad([20.0, 10.0]), abs=0.01)


def test_pause_holds_and_refuses_then_goes_on(world: World) -> None:
    external(world)
    world.command("t", lambda b: b.arms.follow_poses([2.0], posture(world), world.now))
    walk(world, -0.5, 0.0, 0.0)
    run(world, 0.5)
    world.body.pause(True)
    run(world, 1.5)
    held = world.sim.robot.joint_vector()
    assert not world.sim.robot.walking
    for refused in (arms(world, posture(world)), walk(world, 0.0, 0.0, 0.0)):
        assert refused is not None
        assert "operator" in refused
    run(world, 1.0)
    assert world.sim.robot.joint_vector() == pytest.approx(held, abs=2e-3)
    world.body.pause(False)
    assert arms(world, posture(world)) is None


def test_stop_needs_mode_2_again(world: World) -> None:
    external(world)
    world.body.stop(True, world.now)
    assert "operator" in (world.command("m", lambda b: b.arms.set_mode(2, 0.0)) or "")
    world.body.stop(False, world.now)
    refused = arms(world, posture(world))
    assert refused is not None
    assert "mode 0" in refused
    external(world)
    assert arms(world, posture(world)) is None


def test_a_reset_starts_over_but_time_goes_on(world: World) -> None:
    external(world)
    world.body.stop(True, world.now)
    run(world, 0.5)
    world.reset("weighing", 4)
    assert world.sim.time == 0.0
    assert world.now == pytest.approx(0.5)
    assert world.body.arms.mode == 1
    assert not world.body.held
    run(world, 0.1)
    assert world.now == pytest.approx(0.6)
