"""Walking: arms hold, nothing is sent to them until the base stands again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kuavo_deploy.executor.base import BaseHandover, BaseSettings, Odometry, Phase
from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.robot.layout import Base

from .world import LIMITS, MIDDLE, World, assert_bounded

STANDING = Odometry((0.0, 0.0, 0.0), 0.0, 0.0)


def walking_world(target: tuple[float, float, float] = (0.5, 0.0, 0.0)) -> World:
    world = World(ExecutorSettings(plan_max_age=20.0)).running()
    arms = np.linspace(MIDDLE, MIDDLE + 0.5, 40)
    world.executor.on_plan(world.plan(arms[:20], steps=20))
    world.run(0.5)
    world.executor.on_plan(world.plan(arms[10:30], steps=20, base=(*target, 1.0)))
    return world


def test_the_arms_brake_before_the_base_walks_and_are_silent_while_it_does() -> None:
    world = walking_world()
    world.run(1.0)
    assert world.executor.base.phase is Phase.WALKING
    first_pose = next(i for i, c in enumerate(world.sent) if c.base is not None)
    assert all(c.arms is None for c in world.sent[first_pose:])
    assert_bounded(world.streams()[0], LIMITS)
    last = world.streams()[0].arms[-2:]
    assert np.abs(np.diff(last, axis=0)).max() < 5e-5


def test_after_the_walk_the_arms_begin_at_the_measured_posture() -> None:
    world = walking_world()
    world.run(1.0)
    world.arms = world.arms + 0.03
    world.sense()
    measured = world.arms
    world.executor.on_plan(world.plan(MIDDLE, base=(0.5, 0.0, 0.0, 0.0)))
    while world.sent[-1].arms is None:
        world.tick()
        assert world.now < 1010
    assert (world.sent[-1].arms == measured).all()
    assert world.base[0] > 0.1


@pytest.mark.parametrize("how", ["pause", "disable", "switch", "fault", "policy"])
def test_whatever_stops_the_robot_stops_its_walk(how: str) -> None:
    world = walking_world((4.0, 0.0, 0.0))
    world.run(1.0)
    {
        "pause": world.executor.pause,
        "disable": world.executor.disable,
        "switch": world.switch,
        "fault": lambda: world.executor.on_publishers("/kuavo_arm_traj", ["/x"]),
        "policy": lambda: world.executor.on_plan(world.plan(positions=[], times=[])),
    }[how]()
    here = world.base.copy()
    world.run(1.0)
    assert np.abs(world.base - here).max() < 0.02
    assert world.executor.base.phase is Phase.STANCE


def test_a_walking_target_is_never_far_from_the_base_nor_outside_the_workspace() -> None:
    base = BaseHandover(BaseSettings(ahead=1.0, ahead_angle=0.5, workspace=2.0))
    far = Base(30.0, 40.0, 3.0, 1.0)
    pose = None
    for tick in range(15):
        pose = pose or base.update(tick * 0.01, far, STANDING, arms_moving=False)
    assert pose is not None
    x, y, yaw = pose
    assert math.hypot(x, y) == pytest.approx(1.0)
    assert (x, y) == (pytest.approx(math.sqrt(0.5)), pytest.approx(math.sqrt(0.5)))
    assert yaw == 0.5


def test_the_first_pose_comes_a_period_after_the_arms_last_command() -> None:
    """They go on different topics: the robot must not see the pose before the arms' command."""
    world = walking_world()
    world.run(1.0)
    first_pose = next(i for i, c in enumerate(world.sent) if c.base is not None)
    last_arms = max(i for i, c in enumerate(world.sent[:first_pose]) if c.arms is not None)
    quiet = (first_pose - last_arms) * world.settings.period
    assert quiet >= world.settings.base.period


def test_the_base_turns_the_short_way_across_pi() -> None:
    base = BaseHandover(BaseSettings(period=0.1))
    here = Odometry((0.0, 0.0, 3.1), 0.0, 0.0)
    turn = Base(0.0, 0.0, -3.1, 1.0)
    base.update(0.0, turn, here, arms_moving=False)
    pose = base.update(0.1, turn, here, arms_moving=False)
    assert pose is not None
    assert pose[2] == pytest.approx(3.1 + (2 * math.pi - 6.2))


def test_a_flicker_of_the_move_flag_does_not_end_the_walk() -> None:
    base = BaseHandover(BaseSettings(release=0.2))
    walk, stay = Base(1, 0, 0, 1.0), Base(1, 0, 0, 0.5)
    base.update(0.0, walk, STANDING, False)
    for now in (0.05, 0.1, 0.2):
        base.update(now, stay, STANDING, False)
    assert base.phase is Phase.WALKING
    base.update(0.26, stay, STANDING, False)
    assert base.phase is Phase.SETTLING


def test_the_base_stands_only_after_it_has_stood_for_a_while() -> None:
    base = BaseHandover(BaseSettings(release=0.0, still_time=0.5))
    base.update(0.0, Base(1, 0, 0, 1.0), STANDING, False)
    base.update(0.1, Base(1, 0, 0, 0.0), STANDING, False)
    moving = Odometry((0, 0, 0), 0.2, 0.0)
    for now, odometry in ((0.2, STANDING), (0.6, moving), (0.7, STANDING), (1.1, STANDING)):
        base.update(now, None, odometry, False)
        assert base.phase is Phase.SETTLING
    base.update(1.21, None, STANDING, False)
    assert base.phase is Phase.STANCE


def test_a_robot_that_may_not_walk_does_not() -> None:
    world = World(ExecutorSettings(base=BaseSettings(allowed=False))).running()
    world.executor.on_plan(world.plan(MIDDLE + 0.1, base=(1.0, 0.0, 0.0, 1.0)))
    world.run(1.0)
    assert all(c.base is None for c in world.sent)
    assert np.abs(world.arms - MIDDLE - 0.1).max() < 1e-2


def test_without_odometry_a_walking_plan_holds() -> None:
    world = World(ExecutorSettings(odom_max_age=0.3)).running()
    world.executor.on_odometry = lambda *_: None  # type: ignore[method-assign]
    world.run(0.5)
    world.executor.on_plan(world.plan(base=(1.0, 0.0, 0.0, 1.0)))
    world.run(0.2)
    assert world.state == "hold"
    assert "/odom" in world.executor.supervisor.reason
