"""What the robot is told: its command topics, each with one line of effect on the body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rospy
from geometry_msgs.msg import Twist
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_sim.ros.body import Body
from kuavo_sim.ros.world import World

Effect = Callable[[Body, Any], None]


def subscribe_commands(world: World, obey_operator: bool) -> None:
    """Obey every command topic of the robot; refused commands are logged and counted."""
    kuavo = kuavo_msgs()
    effects: dict[str, tuple[type, Effect]] = {
        topics.ARM_TRAJ: (JointState, lambda b, m: b.arms.follow(m.position)),
        topics.ARM_TARGET_POSES: (
            kuavo.armTargetPoses,
            lambda b, m: b.arms.follow_poses(m.times, m.values, world.now),
        ),
        topics.CLAW_COMMAND: (
            kuavo.lejuClawCommand,
            lambda b, m: b.hands.claw(m.data.name, m.data.position, m.data.velocity, m.data.effort),
        ),
        topics.DEXHAND_COMMAND: (
            kuavo.robotHandPosition,
            lambda b, m: b.hands.dexterous(m.left_hand_position, m.right_hand_position),
        ),
        topics.GRIPPER_COMMAND: (JointState, lambda b, m: b.hands.gripper(m.position)),
        topics.HEAD_COMMAND: (kuavo.robotHeadMotionData, lambda b, m: b.turn_head(m.joint_data)),
        topics.CMD_POSE_WORLD: (Twist, lambda b, m: b.base.walk_to(*_planar(m))),
        topics.CMD_POSE: (Twist, lambda b, m: b.base.walk_by(*_planar(m))),
        topics.CMD_VEL: (Twist, lambda b, m: b.base.walk_with(*_planar(m), world.now)),
    }
    for topic, (kind, effect) in effects.items():
        _subscribe(topic, kind, _obeying(world, topic, effect))
    if obey_operator:
        _subscribe(topics.PAUSE_STATE, Bool, _locked(world, lambda b, m: b.pause(m.data)))
        _subscribe(topics.STOP_STATE, Bool, _locked(world, lambda b, m: b.stop(m.data, world.now)))


def _subscribe(topic: str, kind: type, callback: Callable[[Any], None]) -> None:
    rospy.Subscriber(topic, kind, callback, queue_size=10, tcp_nodelay=True)


def _obeying(world: World, topic: str, effect: Effect) -> Callable[[Any], None]:
    def callback(message: Any) -> None:
        refused = world.command(topic, lambda body: effect(body, message))
        if refused:
            rospy.logwarn_throttle_identical(5.0, f"refused {refused}")

    return callback


def _locked(world: World, effect: Effect) -> Callable[[Any], None]:
    def callback(message: Any) -> None:
        with world.lock:
            effect(world.body, message)

    return callback


def _planar(twist: Twist) -> tuple[float, float, float]:
    return twist.linear.x, twist.linear.y, twist.angular.z
