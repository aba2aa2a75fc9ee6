"""Hears what the executor says and sends during a run."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import rospy
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.ros import names


class Witness:
    """Subscribes; everything is kept.

    Attributes:
        states: time since the beginning [s], state, reason, at every change.
        levels: how often each node's diagnostics had each level. figures: the last of each node.
    """

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.states: list[tuple[float, str, str]] = []
        self.levels: dict[str, dict[int, int]] = {}
        self.figures: dict[str, dict[str, str]] = {}
        self._commands: list[tuple[int, tuple[float, ...]]] = []
        rospy.Subscriber(names.STATE, String, self._state)
        rospy.Subscriber(topics.ARM_TRAJ, JointState, self._command, tcp_nodelay=True)
        rospy.Subscriber("/diagnostics", DiagnosticArray, self._diagnostics)

    def _state(self, message: String) -> None:
        state, _, reason = message.data.partition(": ")
        self.states.append((time.monotonic() - self.began, state, reason))

    def _command(self, message: JointState) -> None:
        self._commands.append((message.header.stamp.to_nsec(), message.position))

    def _diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            counts = self.levels.setdefault(status.name, {})
            counts[status.level] = counts.get(status.level, 0) + 1
            self.figures[status.name] = {pair.key: pair.value for pair in status.values}

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

    def holds(self, end: float) -> list[dict[str, Any]]:
        """Every HOLD and FAULT: when, how long [s], and why."""
        states = list(self.states)
        after = [at for at, _, _ in states[1:]] + [end]
        return [
            {"at": round(at, 1), "state": state, "lasted": round(until - at, 2), "reason": reason}
            for (at, state, reason), until in zip(states, after, strict=True)
            if state in ("hold", "fault")
        ]
