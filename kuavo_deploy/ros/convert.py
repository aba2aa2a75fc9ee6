"""Messages to the logic's own types and back. Nothing here decides anything."""

from __future__ import annotations

import json
import math
from typing import Any, Sequence

import numpy as np
import rospy
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry as OdometryMessage
from sensor_msgs.msg import JointState
from std_msgs.msg import Header, String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from kuavo_deploy.executor.base import Odometry, Pose
from kuavo_deploy.executor.epochs import Announcement, EpochError
from kuavo_deploy.robot import layout
from kuavo_deploy.robot.end_effectors import EndEffector
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_deploy.safety.checks import RawPlan

CLAW_NAMES = ("left_claw", "right_claw")
CLAW_VELOCITY = 90.0
"""0…100; the vendor's default is 50–90."""
CLAW_EFFORT = 1.0
"""[A], of 1…2."""
ARM_NAMES = tuple(f"arm_joint_{i}" for i in range(1, 15))


def raw_plan(message: JointTrajectory) -> RawPlan:
    """An action chunk as it came in."""
    return RawPlan(
        epoch=message.header.frame_id,
        stamp=message.header.stamp.to_sec(),
        names=message.joint_names,
        times=[point.time_from_start.to_sec() for point in message.points],
        positions=[point.positions for point in message.points],
    )


def stop_message(epoch: str, stamp: float, reason: str) -> JointTrajectory:
    """Asks the executor to hold: a plan without steps, whose only joint name says why."""
    header = Header(stamp=rospy.Time.from_sec(stamp), frame_id=epoch)
    return JointTrajectory(header=header, joint_names=[reason])


def plan_message(
    epoch: str, stamp: float, step: float, actions: Sequence[Sequence[float]]
) -> JointTrajectory:
    """An action chunk to be sent, one or more steps."""
    points = [
        JointTrajectoryPoint(
            positions=[float(v) for v in action],
            time_from_start=rospy.Duration.from_sec((i + 1) * step),
        )
        for i, action in enumerate(actions)
    ]
    header = Header(stamp=rospy.Time.from_sec(stamp), frame_id=epoch)
    names = list(layout.action_names(len(actions[0])))
    return JointTrajectory(header=header, joint_names=names, points=points)


def announcement_message(announcement: Announcement) -> String:
    """The instruction in force, as JSON."""
    return String(json.dumps(announcement._asdict(), ensure_ascii=False))


def announcement(message: String) -> Announcement:
    """The instruction in force.

    Raises:
        EpochError: not what `announcement_message` writes.
    """
    try:
        content = json.loads(message.data)
        epoch, task, instruction = (content[n] for n in ("epoch", "task", "instruction"))
        start = tuple(float(number) for number in content.get("start", ()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EpochError(f"an announcement is not understood: {error!r}") from error
    if not all(isinstance(text, str) for text in (epoch, task, instruction)):
        raise EpochError("an announcement's fields are not text")
    return Announcement(epoch, task, instruction, start)


def taken_message(epoch: str, stamp: float, at: float) -> String:
    """A plan, named by its epoch and stamp, is executed since `at` [s]; as JSON."""
    return String(json.dumps({"epoch": epoch, "stamp": stamp, "at": at}))


def taken(message: String) -> tuple[str, float, float]:
    """Epoch, stamp and time of a plan that is executed.

    Raises:
        ValueError: not what `taken_message` writes.
    """
    try:
        content = json.loads(message.data)
        return str(content["epoch"]), float(content["stamp"]), float(content["at"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not understood: {error!r}") from error


def odometry(message: OdometryMessage) -> Odometry:
    """Pose in odom, speeds."""
    position, q = message.pose.pose.position, message.pose.pose.orientation
    yaw = math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z))
    linear = message.twist.twist.linear
    speed = math.hypot(linear.x, linear.y)
    return Odometry((position.x, position.y, yaw), speed, message.twist.twist.angular.z)


def arm_command(arms: np.ndarray, now: float) -> JointState:
    """`/kuavo_arm_traj`: degrees."""
    degrees = layout.arms_to_degrees(arms).tolist()
    stamp = Header(stamp=rospy.Time.from_sec(now))
    return JointState(header=stamp, name=list(ARM_NAMES), position=degrees)


def base_command(pose: Pose) -> Twist:
    """`/cmd_pose_world`."""
    message = Twist()
    message.linear.x, message.linear.y, message.angular.z = pose
    return message


def hand_state_class(effector: EndEffector) -> Any:
    """Class of the messages on `effector.state_topic`."""
    return _class(effector.state_type)


def hand_command_class(effector: EndEffector) -> Any:
    """Class of the messages on `effector.command_topic`."""
    return _class(effector.command_type)


def hand_closures(effector: EndEffector, message: Any) -> np.ndarray:
    """Closures, shape (2,), of a state message.

    Raises:
        ValueError: another number of fingers, or not finite.
    """
    claw = effector.state_type == "kuavo_msgs/lejuClawState"
    return effector.closure_from_state(message.data.position if claw else message.position)


def hand_command(effector: EndEffector, closures: np.ndarray, now: float) -> Any:
    """The command message for closures, shape (2,)."""
    numbers = effector.command(closures)
    kind = hand_command_class(effector)
    stamp = Header(stamp=rospy.Time.from_sec(now))
    if effector.command_type == "kuavo_msgs/lejuClawCommand":
        message = kind(header=stamp)
        message.data.name = list(CLAW_NAMES)
        message.data.position = numbers.tolist()
        message.data.velocity = [CLAW_VELOCITY] * 2
        message.data.effort = [CLAW_EFFORT] * 2
        return message
    if effector.command_type == "kuavo_msgs/robotHandPosition":
        half = len(numbers) // 2
        fingers = [int(v) for v in numbers]
        return kind(
            header=stamp, left_hand_position=fingers[:half], right_hand_position=fingers[half:]
        )
    return kind(header=stamp, position=numbers.tolist())


def _class(name: str) -> Any:
    return JointState if name == "sensor_msgs/JointState" else getattr(
        kuavo_msgs(), name.split("/")[1])
