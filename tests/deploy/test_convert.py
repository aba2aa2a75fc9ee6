"""Messages to numbers and back: units, order, types; and a rhythm that never bursts."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("rospy", reason="ROS 1 is not installed")

from nav_msgs.msg import Odometry
from std_msgs.msg import String

from kuavo_deploy.executor.epochs import Announcement, EpochError
from kuavo_deploy.robot.end_effectors import END_EFFECTORS
from kuavo_deploy.ros import convert
from kuavo_deploy.ros.pace import Pace
from kuavo_deploy.safety.checks import check_plan

from .world import MIDDLE


def test_arm_commands_are_degrees_left_arm_first() -> None:
    message = convert.arm_command(MIDDLE, 12.5)
    assert np.allclose(message.position, np.rad2deg(MIDDLE))
    assert len(message.name) == 14
    assert message.header.stamp.to_sec() == 12.5


@pytest.mark.parametrize("name", sorted(END_EFFECTORS))
def test_every_end_effector_gets_its_own_message_with_the_closures(name: str) -> None:
    effector = END_EFFECTORS[name]
    message = convert.hand_command(effector, np.array([0.2, 0.8]), 1.0)
    assert message._type == effector.command_type
    if name == "lejuclaw":
        assert message.data.name == ["left_claw", "right_claw"]
        numbers = message.data.position
    elif name == "qiangnao":
        left, right = list(message.left_hand_position), list(message.right_hand_position)
        assert len(left) == len(right) == 6
        numbers = left + right
    else:
        numbers = message.position
    assert np.allclose(effector.closure_from_command(np.array(numbers)), [0.2, 0.8], atol=0.01)


def test_a_chunk_survives_its_message() -> None:
    actions = np.random.default_rng(0).uniform(-0.1, 0.1, (5, 20))
    plan = check_plan(convert.raw_plan(convert.plan_message("s:1", 100.25, 0.1, actions.tolist())))
    assert (plan.epoch, plan.stamp) == ("s:1", 100.25)
    assert (plan.actions == actions).all()
    assert np.allclose(plan.times, 100.25 + 0.1 * np.arange(1, 6))
    stop = convert.raw_plan(convert.stop_message("s:1", 1.0, "no camera"))
    assert (stop.epoch, stop.positions, stop.names) == ("s:1", [], ["no camera"])


def test_an_announcement_survives_its_message_and_a_strange_one_is_refused() -> None:
    said = Announcement("s:1", "weighing", "快递袋 \"称重\"")
    assert convert.announcement(convert.announcement_message(said)) == said
    begun = said._replace(start=tuple(0.1 * i for i in range(14)))
    assert convert.announcement(convert.announcement_message(begun)) == begun
    wrong = [f'{{"epoch": "s:1", "task": "", "instruction": "", "start": {start}}}'
             for start in ('["x"]', "1", "null", "[[1]]")]  # fmt: skip
    for text in ("", "[]", "{}", '{"epoch": 1, "task": "", "instruction": ""}', *wrong):
        with pytest.raises(EpochError):
            convert.announcement(String(text))


def test_what_was_taken_survives_its_message_and_a_strange_one_is_refused() -> None:
    assert convert.taken(convert.taken_message("s:1", 100.25, 100.5)) == ("s:1", 100.25, 100.5)
    for text in ("", "[]", "{}", '{"epoch": "s:1", "stamp": "x", "at": 1}'):
        with pytest.raises(ValueError):
            convert.taken(String(text))


def test_odometry_gives_the_yaw_and_the_speed() -> None:
    message = Odometry()
    message.pose.pose.position.x = 1.5
    message.pose.pose.orientation.z = math.sin(1.0)
    message.pose.pose.orientation.w = math.cos(1.0)
    message.twist.twist.linear.x, message.twist.twist.linear.y = 0.3, 0.4
    odometry = convert.odometry(message)
    assert odometry.pose == pytest.approx((1.5, 0.0, 2.0))
    assert odometry.speed == pytest.approx(0.5)
    twist = convert.base_command((1.0, 2.0, 3.0))
    assert (twist.linear.x, twist.linear.y, twist.angular.z) == (1.0, 2.0, 3.0)


def test_a_late_tick_is_not_made_up_for() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(0.01, lambda: now[0], sleep)
    pace.wait()
    now[0] += 0.055
    pace.wait()
    assert len(slept) == 1, "overdue: at once"
    pace.wait()
    assert slept[1] == pytest.approx(0.01), "and then in rhythm, not in a burst"


def test_after_a_sleep_that_took_too_long_the_next_tick_is_not_hurried() -> None:
    now, ticks = [0.0], []
    overshoot = iter([0.0, 0.009, 0.0, 0.0])

    def sleep(seconds: float) -> None:
        now[0] += seconds + next(overshoot)

    pace = Pace(0.01, lambda: now[0], sleep)
    for _ in range(4):
        pace.wait()
        ticks.append(now[0])
    assert ticks == pytest.approx([0.01, 0.029, 0.039, 0.049])
