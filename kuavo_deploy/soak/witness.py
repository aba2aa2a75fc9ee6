"""Hears what executor, policy and robot say during a run."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import rospy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_deploy.ros import convert, names
from kuavo_deploy.soak.blocked import Felt

_LOOK_BACK = 200
"""Joint messages that are kept for a fault: two seconds."""


class Witness:
    """Subscribes; everything that was said and sent is kept.

    Attributes:
        states: time since the beginning [s], state, reason, at every change.
        felt: by the time of a fault, what the joints felt before it.
        levels: how often each node's diagnostics had each level. figures: the last of each node.
        complaints: time [s], node and text of every diagnosis that was not OK.
    """

    def __init__(self) -> None:
        self._began = 0.0
        self.states: list[tuple[float, str, str]] = []
        self.felt: dict[float, Felt] = {}
        self.levels: dict[str, dict[int, int]] = {}
        self.figures: dict[str, dict[str, str]] = {}
        self.complaints: list[tuple[float, str, str]] = []
        self._commands: list[tuple[int, tuple[float, ...]]] = []
        self._joints: deque[tuple[float, Any, tuple[float, ...]]] = deque(maxlen=_LOOK_BACK)
        self._base = (0.0, 0.0, 0.0)
        rospy.Subscriber(names.STATE, String, self._state)
        rospy.Subscriber(topics.ARM_TRAJ, JointState, self._command, tcp_nodelay=True)
        rospy.Subscriber(topics.SENSORS, kuavo_msgs().sensorsData, self._sensed, tcp_nodelay=True)
        rospy.Subscriber(topics.ODOM, Odometry, self._moved)
        rospy.Subscriber("/diagnostics", DiagnosticArray, self._diagnostics)

    def now(self) -> float:
        """Since the beginning [s], in ROS's time, which a simulation may not have told yet."""
        self._began = self._began or rospy.get_time()
        return rospy.get_time() - self._began

    def _state(self, message: String) -> None:
        state, _, reason = message.data.partition(": ")
        at = self.now()
        if state == "fault" and self._joints:
            self.felt[at] = self._lately()
        self.states.append((at, state, reason))

    def _command(self, message: JointState) -> None:
        self._commands.append((message.header.stamp.to_nsec(), message.position))

    def _sensed(self, message: Any) -> None:
        if self._commands:
            self._joints.append((self.now(), message.joint_data, self._commands[-1][1]))

    def _moved(self, message: Odometry) -> None:
        self._base = convert.odometry(message).pose

    def _diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            counts = self.levels.setdefault(status.name, {})
            counts[status.level] = counts.get(status.level, 0) + 1
            self.figures[status.name] = {pair.key: pair.value for pair in status.values}
            if status.level:
                self.complaints.append((self.now(), status.name, status.message))

    def _lately(self) -> Felt:
        arms = layout.SENSOR_ARMS
        joints = list(self._joints)
        return Felt(
            np.array([at for at, _, _ in joints]),
            np.array([data.joint_q[arms] for _, data, _ in joints]),
            layout.arms_from_degrees(np.array([command for _, _, command in joints])),
            np.array([data.joint_torque[arms] for _, data, _ in joints]),
            self._base,
        )

    @property
    def state(self) -> str:
        """Of the executor, now."""
        return self.states[-1][1] if self.states else ""

    def commands(self) -> tuple[np.ndarray, np.ndarray]:
        """All arm commands: times since the first, shape (T,) [s]; arms, shape (T, 14) [rad]."""
        commands = list(self._commands)
        # whole nanoseconds: seconds since 1970 in a float are too coarse to take a jerk of
        stamps = np.array([stamp - commands[0][0] for stamp, _ in commands], dtype=np.int64)
        degrees = np.array([position for _, position in commands]).reshape(-1, 14)
        return stamps * 1e-9, layout.arms_from_degrees(degrees)
