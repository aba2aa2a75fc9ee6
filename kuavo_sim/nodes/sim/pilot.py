"""The expert at the robot's topics: switches to mode 2, then publishes what a policy would.

In walking tasks `/kuavo_arm_traj_synced` and `/cmd_pose_world_synced` (`linear.z` = move) say the
whole command in force, for recordings.
"""

from __future__ import annotations

import numpy as np
import rospy
from geometry_msgs.msg import Twist
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.end_effectors import EndEffector
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_sim.experts import OutOfReach
from kuavo_sim.nodes.sim.publishers import Stamps
from kuavo_sim.ros import messages
from kuavo_sim.ros.expert_driver import Command, ExpertDriver
from kuavo_sim.ros.hands import CLAW_NAMES
from kuavo_sim.ros.world import World

FULL_VELOCITY = 100.0
CLAW_EFFORT = 1.0


class Pilot:
    """Flies one world; `begin` after each reset. The commands go out and come back through ROS."""

    def __init__(self, world: World, effector: EndEffector, stamps: Stamps) -> None:
        kuavo = kuavo_msgs()
        self._world, self._effector, self._stamps = world, effector, stamps
        self._driver: ExpertDriver | None = None
        kinds = {
            "kuavo_msgs/lejuClawCommand": kuavo.lejuClawCommand,
            "kuavo_msgs/robotHandPosition": kuavo.robotHandPosition,
            "sensor_msgs/JointState": JointState,
        }
        self._arms = _publisher(topics.ARM_TRAJ, JointState)
        self._hands = _publisher(effector.command_topic, kinds[effector.command_type])
        self._walk = _publisher(topics.CMD_POSE_WORLD, Twist)
        self._stop = _publisher(topics.CMD_VEL, Twist)
        self._arms_synced = _publisher(topics.ARM_TRAJ_SYNCED, JointState)
        self._walk_synced = _publisher(topics.CMD_POSE_WORLD_SYNCED, Twist)
        self._change_mode = rospy.ServiceProxy(
            topics.CHANGE_ARM_MODE, kuavo_msgs("srv").changeArmCtrlMode
        )
        world.listeners.append(self._on_step)

    def begin(self) -> None:
        """Take the robot over, from its present state."""
        for publisher in (self._arms, self._hands, self._walk, self._stop):
            while publisher.get_num_connections() == 0 and not rospy.is_shutdown():
                rospy.rostime.wallsleep(0.01)
        rospy.wait_for_service(topics.CHANGE_ARM_MODE)
        self._change_mode(control_mode=topics.ARM_MODE_EXTERNAL)
        with self._world.lock:
            self._driver = ExpertDriver(self._world.sim)

    def leave(self) -> None:
        """Publish nothing any more."""
        self._driver = None

    def _on_step(self, world: World) -> None:
        if self._driver is None:
            return
        try:
            command = self._driver.command()
        except OutOfReach as error:
            rospy.logerr(f"the expert gives up: {error}")
            self._driver = None
            return
        if command is not None:
            self._publish(command, messages.header(self._stamps.at(world.steps)))

    def _publish(self, command: Command, header: Header) -> None:
        if command.walk is not None:
            self._walk.publish(_twist(command.walk))
        if command.stand:
            self._stop.publish(Twist())
        if command.arms is not None:
            self._arms.publish(_arm_message(command.arms, header))
        self._hands.publish(self._hand_message(command.hands, header))
        arms, _, base = layout.split(command.in_force)
        if base is not None:
            self._arms_synced.publish(_arm_message(arms, header))
            twist = _twist(base)
            twist.linear.z = base.move
            self._walk_synced.publish(twist)

    def _hand_message(self, closures: np.ndarray, header: Header) -> object:
        position = self._effector.command(closures)
        if self._effector.command_topic == topics.CLAW_COMMAND:
            message = kuavo_msgs().lejuClawCommand(header=header)
            message.data.name = list(CLAW_NAMES)
            message.data.position = position.tolist()
            message.data.velocity = [FULL_VELOCITY] * 2
            message.data.effort = [CLAW_EFFORT] * 2
            return message
        if self._effector.command_topic == topics.DEXHAND_COMMAND:
            left, right = np.split(position.astype(np.uint8), 2)
            return kuavo_msgs().robotHandPosition(
                header=header,
                left_hand_position=left.tobytes(),
                right_hand_position=right.tobytes(),
            )
        return JointState(header=header, position=position.tolist())


def _publisher(topic: str, kind: type) -> rospy.Publisher:
    return rospy.Publisher(topic, kind, queue_size=10, tcp_nodelay=True)


def _arm_message(arms: np.ndarray, header: Header) -> JointState:
    degrees = layout.arms_to_degrees(arms).tolist()
    return JointState(header=header, name=list(layout.ARM_JOINT_NAMES), position=degrees)


def _twist(base: layout.Base) -> Twist:
    twist = Twist()
    twist.linear.x, twist.linear.y, twist.angular.z = base.x, base.y, base.yaw
    return twist
