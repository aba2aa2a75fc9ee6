"""A client of the robot, as small as can be: what it hears, and how it speaks."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import rospy
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.layout import arms_from_sensor_joints
from kuavo_deploy.robot.messages import kuavo_msgs


class Client:
    """Subscribes to the robot's state and publishes commands."""

    def __init__(self) -> None:
        kuavo = kuavo_msgs()
        self.last: dict[str, Any] = {}
        self.arrivals: dict[str, list[float]] = defaultdict(list)
        self._listen(topics.SENSORS, kuavo.sensorsData)
        self._listen(topics.CLAW_STATE, kuavo.lejuClawState)
        self._listen(topics.ODOM, Odometry)
        self._listen("/kuavo_sim/state", String)
        self.arm_traj = rospy.Publisher(topics.ARM_TRAJ, JointState, queue_size=10)
        self.poses = rospy.Publisher(topics.ARM_TARGET_POSES, kuavo.armTargetPoses, queue_size=10)
        self.claw = rospy.Publisher(topics.CLAW_COMMAND, kuavo.lejuClawCommand, queue_size=10)
        self.head = rospy.Publisher(topics.HEAD_COMMAND, kuavo.robotHeadMotionData, queue_size=10)
        self.walk = rospy.Publisher(topics.CMD_POSE_WORLD, Twist, queue_size=10)
        self.stop = rospy.Publisher(topics.STOP_STATE, Bool, queue_size=10)
        self._publishers = [
            self.arm_traj, self.poses, self.claw, self.head, self.walk, self.stop,
        ]  # fmt: skip

    def _listen(self, topic: str, kind: type) -> None:
        def hear(message: Any) -> None:
            self.last[topic] = message
            self.arrivals[topic].append(time.monotonic())

        rospy.Subscriber(topic, kind, hear, queue_size=200, tcp_nodelay=True)

    def connect(self, limit: float = 40.0) -> None:
        """Until the robot listens and speaks, with news from now on."""
        wait_until(lambda: all(p.get_num_connections() for p in self._publishers), limit)
        self.last.clear()
        wait_until(lambda: topics.SENSORS in self.last and "/kuavo_sim/state" in self.last, limit)

    @property
    def arms(self) -> np.ndarray:
        """[rad]"""
        return arms_from_sensor_joints(self.last[topics.SENSORS].joint_data.joint_q)

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(self.last["/kuavo_sim/state"].data)

    def mode(self, mode: int) -> Any:
        service = rospy.ServiceProxy(topics.CHANGE_ARM_MODE, kuavo_msgs("srv").changeArmCtrlMode)
        return service(control_mode=mode)

    def command_arms(self, radians: np.ndarray) -> None:
        self.arm_traj.publish(JointState(position=np.rad2deg(radians).tolist()))

    def command_walk(self, x: float, y: float, yaw: float) -> None:
        twist = Twist()
        twist.linear.x, twist.linear.y, twist.angular.z = x, y, yaw
        self.walk.publish(twist)

    def reset(self, seed: int, task: str = "weighing") -> Any:
        rospy.set_param("/kuavo_sim/seed", seed)
        rospy.set_param("/kuavo_sim/task", task)
        return rospy.ServiceProxy("/kuavo_sim/reset", Trigger)()


def wait_until(condition: Callable[[], bool], limit: float) -> None:
    """Fail when `condition` does not come true within `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
