"""What the executor hears: plans, instructions, sensors, the robot's own pause and stop."""

from __future__ import annotations

import threading
from typing import Any, Callable

import rospy
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Empty, String
from trajectory_msgs.msg import JointTrajectory

from kuavo_deploy.executor.epochs import EpochError
from kuavo_deploy.executor.executor import Executor
from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import EndEffector
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_deploy.ros import convert, names


class ExecutorInputs:
    """Subscribes for an executor.

    Args:
        executor: hears everything. lock: held around each of its calls.
        effector: whose states are understood.
        shadow: others may drive the arms.
    """

    def __init__(
        self, executor: Executor, lock: threading.Lock, effector: EndEffector, shadow: bool
    ) -> None:
        self._executor, self._lock = executor, lock
        self._effector, self._shadow = effector, shadow
        self._task = rospy.Publisher(names.TASK, String, queue_size=10, latch=True)
        self._in_force = rospy.Publisher(names.IN_FORCE, String, queue_size=10, latch=True)
        self._taken = rospy.Publisher(names.TAKEN, String, queue_size=10, tcp_nodelay=True)
        _on(names.EPOCH, String, self._on_epoch, 10)
        _on(names.PLAN, JointTrajectory, self._on_plan, 2)
        self._tell(names.DEADMAN, Empty, lambda m: executor.on_deadman())
        self._tell(topics.SENSORS, kuavo_msgs().sensorsData, self._on_joints)
        self._tell(topics.ODOM, Odometry, self._on_odometry)
        self._tell(effector.state_topic, convert.hand_state_class(effector), self._on_hands)
        self._tell(topics.PAUSE_STATE, Bool, self._on_pause)
        self._tell(topics.STOP_STATE, Bool, self._on_stop)
        _on(topics.ARM_TRAJ, JointState, self._on_arm_command)

    def _tell(self, topic: str, kind: Any, effect: Callable[[Any], Any]) -> None:
        def handle(message: Any) -> None:
            with self._lock:
                effect(message)

        _on(topic, kind, handle)

    def _on_epoch(self, message: String) -> None:
        try:
            with self._lock:
                announcement = convert.announcement(message)
                label = self._executor.on_announcement(announcement)
        except EpochError as error:
            rospy.logwarn(f"instruction not taken over: {error}")
            return
        # everything older is dropped by now: only then is it acknowledged
        self._task.publish(label)
        self._in_force.publish(announcement.epoch)
        rospy.loginfo(f"instruction in force: {label}")

    def _on_plan(self, message: JointTrajectory) -> None:
        plan = convert.raw_plan(message)
        with self._lock:
            refused = self._executor.on_plan(plan)
            now = self._executor.now()
        if refused:
            rospy.logwarn_throttle(1.0, f"plan refused: {refused}")
        elif len(plan.positions):
            self._taken.publish(convert.taken_message(plan.epoch, plan.stamp, now))

    def _on_joints(self, message: Any) -> None:
        joints = message.joint_data
        self._executor.on_joints(joints.joint_q, joints.joint_v, message.header.stamp.to_sec())

    def _on_odometry(self, message: Odometry) -> None:
        self._executor.on_odometry(convert.odometry(message), message.header.stamp.to_sec())

    def _on_hands(self, message: Any) -> None:
        try:
            closures = convert.hand_closures(self._effector, message)
        except ValueError as error:
            rospy.logerr_throttle(1.0, str(error))
            return
        self._executor.on_hands(closures, message.header.stamp.to_sec())

    def _on_pause(self, message: Bool) -> None:
        act = self._executor.pause if message.data else self._executor.resume
        act(topics.PAUSE_STATE)

    def _on_stop(self, message: Bool) -> None:
        if message.data:
            self._executor.disable(f"stopped by {topics.STOP_STATE}")

    def _on_arm_command(self, message: JointState) -> None:
        sender = message._connection_header.get("callerid", "?")
        if sender != rospy.get_name() and not self._shadow:
            with self._lock:
                self._executor.on_publishers(topics.ARM_TRAJ, [sender])


def _on(topic: str, kind: Any, handle: Callable[[Any], None], queue: int = 1) -> None:
    rospy.Subscriber(topic, kind, handle, queue_size=queue, tcp_nodelay=True)
