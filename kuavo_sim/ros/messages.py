"""Readings as the robot's messages. Stamps are nanoseconds since the epoch."""

from __future__ import annotations

import genpy
import numpy as np
from geometry_msgs.msg import Quaternion, Vector3
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CompressedImage, JointState
from std_msgs.msg import Header

from kuavo_deploy.robot.end_effectors import EndEffector
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_sim.ros.hands import CLAW_NAMES
from kuavo_sim.ros.readings import GRAVITY, BaseReading, HandReading, JointReading

_kuavo = kuavo_msgs()
JPEG_FORMAT = "rgb8; jpeg compressed bgr8"
DEPTH_FORMAT = "16UC1; compressedDepth png"
POSITION_CONTROL = 2
"""`control_modes` of `/joint_cmd`: 0 torque, 1 velocity, 2 position."""


def time_of(stamp: int) -> genpy.Time:
    """Nanoseconds since the epoch as a ROS time."""
    return genpy.Time(*divmod(stamp, 1_000_000_000))


def header(stamp: int, frame: str = "") -> Header:
    """A header with a stamp and a frame."""
    return Header(stamp=time_of(stamp), frame_id=frame)


def sensors(
    stamp: int, joints: JointReading, base: BaseReading, hands: HandReading, effector: EndEffector
) -> genpy.Message:
    """`/sensors_data_raw`."""
    message = _kuavo.sensorsData(header=header(stamp), sensor_time=time_of(stamp))
    data = message.joint_data
    data.joint_q = joints.position.tolist()
    data.joint_v = joints.velocity.tolist()
    data.joint_vd = joints.acceleration.tolist()
    data.joint_torque = joints.torque.tolist()
    imu = message.imu_data
    imu.gyro = Vector3(*base.angular)
    imu.free_acc = Vector3(*base.acceleration)
    imu.acc = Vector3(*(base.acceleration + [0.0, 0.0, GRAVITY]))
    imu.quat = Quaternion(*base.quaternion)
    _fill_hands(message.end_effector_data, hands, effector)
    return message


def joint_command(stamp: int, joints: JointReading) -> genpy.Message:
    """`/joint_cmd`: what the low-level controller is told."""
    count = len(joints.target)
    zeros = [0.0] * count
    return _kuavo.jointCmd(
        header=header(stamp),
        joint_q=joints.target.tolist(),
        joint_v=zeros,
        tau=zeros,
        tau_max=zeros,
        tau_ratio=[1.0] * count,
        joint_kp=zeros,
        joint_kd=zeros,
        control_modes=[POSITION_CONTROL] * count,
    )


def odometry(stamp: int, base: BaseReading) -> Odometry:
    """`/odom`: base_link in odom, twist in base_link."""
    message = Odometry(header=header(stamp, "odom"), child_frame_id="base_link")
    position = message.pose.pose.position
    position.x, position.y, position.z = base.position
    message.pose.pose.orientation = Quaternion(*base.quaternion)
    message.twist.twist.linear = Vector3(*base.linear)
    message.twist.twist.angular = Vector3(*base.angular)
    return message


def hand_state(stamp: int, hands: HandReading, effector: EndEffector) -> genpy.Message:
    """The state message of the fitted end effector, on `effector.state_topic`."""
    if effector.state_type == "kuavo_msgs/lejuClawState":
        claw = _kuavo.lejuClawState(header=header(stamp), state=list(hands.state))
        _fill_hands(claw.data, hands, effector)
        return claw
    position = effector.state(hands.closure).tolist()
    return JointState(
        header=header(stamp), name=hand_names(effector), position=position,
        velocity=[0.0] * len(position), effort=[0.0] * len(position),
    )  # fmt: skip


def hand_names(effector: EndEffector) -> list[str]:
    """A name for each number of the state message, left hand first."""
    if effector.name == "lejuclaw":
        return list(CLAW_NAMES)
    count = len(effector.state(np.zeros(2))) // 2
    numbers = [""] if count == 1 else [f"_{i}" for i in range(1, count + 1)]
    return [f"{side}_hand{number}" for side in ("left", "right") for number in numbers]


def jpeg_image(stamp: int, frame: str, jpeg: bytes) -> CompressedImage:
    """A colour image as the cameras' drivers publish it."""
    return CompressedImage(header=header(stamp, frame), format=JPEG_FORMAT, data=jpeg)


def depth_image(stamp: int, frame: str, payload: bytes) -> CompressedImage:
    """A depth image: `payload` is the short header and the PNG (see `kuavo_sim.ros.depth`)."""
    return CompressedImage(header=header(stamp, frame), format=DEPTH_FORMAT, data=payload)


def _fill_hands(data: genpy.Message, hands: HandReading, effector: EndEffector) -> None:
    data.name = hand_names(effector)
    data.position = effector.state(hands.closure).tolist()
    data.velocity = data.effort = [0.0] * len(data.position)
