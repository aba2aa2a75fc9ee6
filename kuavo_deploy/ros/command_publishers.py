"""The only place that publishes on the robot's command topics."""

from __future__ import annotations

from typing import Any

import rospy
from geometry_msgs.msg import Twist
from sensor_msgs.msg import JointState

from kuavo_deploy.executor.in_force import Whole
from kuavo_deploy.executor.motion import Commands
from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import EndEffector
from kuavo_deploy.ros import convert, names

HANDS_EVERY = 5
"""Hands are commanded at every fifth tick: their controllers are slower than the arms'."""
COMMAND_QUEUE = 10
"""Commands that may wait for a slow connection: a tenth of a second of arm commands."""


class CommandPublishers:
    """Publishes what the executor says.

    Args:
        effector: whose commands the hands understand.
        shadow: publish below `names.SHADOW` instead, where nobody follows.
    """

    def __init__(self, effector: EndEffector, shadow: bool) -> None:
        self._effector = effector
        self._prefix = names.SHADOW if shadow else ""
        self._arms = self._publisher(topics.ARM_TRAJ, JointState)
        self._hands = self._publisher(
            effector.command_topic, convert.hand_command_class(effector)
        )
        self._base = self._publisher(topics.CMD_POSE_WORLD, Twist)
        self._arms_in_force = self._publisher(topics.ARM_TRAJ_SYNCED, JointState)
        self._base_in_force = self._publisher(topics.CMD_POSE_WORLD_SYNCED, Twist)
        self._ticks = 0

    def _publisher(self, topic: str, kind: Any) -> rospy.Publisher:
        # a full queue would drop samples out of the bounded stream, and with them the bound
        return rospy.Publisher(
            self._prefix + topic, kind, queue_size=COMMAND_QUEUE, tcp_nodelay=True
        )

    def publish(self, commands: Commands, in_force: Whole | None) -> None:
        """One tick's.

        Args:
            commands: for the robot.
            in_force: for recordings, which the robot does not follow.
        """
        self._ticks += 1
        if commands.arms is not None:
            self._arms.publish(convert.arm_command(commands.arms, commands.stamp))
        if commands.hands is not None and self._ticks % HANDS_EVERY == 0:
            message = convert.hand_command(self._effector, commands.hands, commands.stamp)
            self._hands.publish(message)
        if commands.base is not None:
            self._base.publish(convert.base_command(commands.base))
        if in_force is not None and self._base_in_force.get_num_connections() > 0:
            self._arms_in_force.publish(convert.arm_command(in_force.arms, commands.stamp))
            twist = convert.base_command(in_force.base[:3])
            twist.linear.z = in_force.base.move
            self._base_in_force.publish(twist)
