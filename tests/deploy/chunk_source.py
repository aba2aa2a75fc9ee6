#!/usr/bin/env python3
"""Stands for a policy process in tests: announces an instruction and publishes scripted chunks.

    python chunk_source.py KIND TASK     KIND: wave, still, nan, old, backwards, huge, walk

It can be killed, stopped and continued like the real one, but starts in a second.
"""

from __future__ import annotations

import secrets

import numpy as np
import rospy
from nav_msgs.msg import Odometry
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from kuavo_deploy.executor.epochs import Announcement
from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_deploy.ros import convert, names

STEP = 0.1
STEPS = 20
WALK_TO, ARRIVED = 0.4, 0.38
"""[m] ahead of where the robot started."""


class Source:
    """Chunks around the posture that it saw first."""

    def __init__(self, kind: str, task: str) -> None:
        self._kind, self._session, self._number = kind, secrets.token_hex(4), 0
        self._arms: np.ndarray | None = None
        self._plan = rospy.Publisher(names.PLAN, JointTrajectory, queue_size=2)
        self._epoch = rospy.Publisher(names.EPOCH, String, queue_size=10, latch=True)
        self._x = 0.0
        if kind == "walk":
            rospy.Subscriber(topics.ODOM, Odometry, self._see_base, queue_size=1)
        rospy.Subscriber(topics.SENSORS, kuavo_msgs().sensorsData, self._see, queue_size=1)
        rospy.Subscriber("/test/switch", String, lambda m: self._switch(m.data), queue_size=10)
        self._switch(task)

    def _see(self, message: object) -> None:
        if self._arms is None:
            joints = np.array(message.joint_data.joint_q)  # type: ignore[attr-defined]
            self._arms = layout.arms_from_sensor_joints(joints)

    def _see_base(self, message: Odometry) -> None:
        self._x = message.pose.pose.position.x

    def _switch(self, task: str) -> None:
        self._number += 1
        announcement = Announcement(self.epoch, task, f"do {task}")
        self._epoch.publish(convert.announcement_message(announcement))

    @property
    def epoch(self) -> str:
        return f"{self._session}:{self._number}"

    def run(self) -> None:
        rate = rospy.Rate(5)
        while not rospy.is_shutdown():
            rate.sleep()
            if self._arms is not None:
                self._publish(self._arms)

    def _publish(self, arms: np.ndarray) -> None:
        now = rospy.get_time()
        times = now + STEP * np.arange(1, STEPS + 1)
        size = {"still": 0.0, "huge": 5.0}.get(self._kind, 0.1)
        wave = size * np.sin(2 * times)[:, None] * np.ones(14)
        base = layout.Base(WALK_TO, 0.0, 0.0, float(self._x < ARRIVED))
        walks = base if self._kind == "walk" else None
        rows = [layout.join(arms + row, np.full(2, 0.3), walks).tolist() for row in wave]
        if self._kind == "nan":
            rows[7][7] = float("nan")
        stamp = now - 60 if self._kind == "old" else now
        self._plan.publish(convert.plan_message(self.epoch, stamp, STEP, rows))
        if self._kind == "backwards":
            wrong = [layout.join(arms + 0.5, np.zeros(2)).tolist()] * STEPS
            self._plan.publish(convert.plan_message(self.epoch, now - 0.1, STEP, wrong))


if __name__ == "__main__":
    rospy.init_node("chunk_source", anonymous=True)
    Source(*rospy.myargv()[1:3]).run()
