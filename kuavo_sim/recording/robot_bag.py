"""Writes bags as `rosbag record` would on the robot: real topics, types and MD5 sums; no ROS.

The vendor's messages come with the definitions and sums of its own classes, the standard ones
from `rosbags`.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag1 import Writer
from rosbags.typesys import Stores, get_typestore

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.end_effectors import EndEffector
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_train.data.bags.types import message_types

NANOSECONDS = 1_000_000_000
LATEST_ROS1 = Stores.ROS1_NOETIC
CHUNK_BYTES = 768 * 1024
"""As `rosbag record`."""
_VENDOR = ("sensorsData", "jointCmd", "lejuClawState", "lejuClawCommand", "robotHandPosition")
_CLAWS = ["left_claw", "right_claw"]
_STANDING_GAINS = 100.0
_POSITION_MODE = 2
COMPRESSIONS = ("none", "lz4", "bz2")


class RobotBag:
    """A bag being written. Times are nanoseconds since the epoch; vectors as in `layout`.

    with RobotBag(path) as bag:
        bag.sensors(time, joint_q)
        bag.claw_state(time, closures)

    Args:
        path: the bag; must not exist. If the block raises, the bag stays without an index, as a
            killed recorder's.
        compression: none, lz4 or bz2.
    """

    def __init__(self, path: Path, compression: str = "none") -> None:
        self._store = get_typestore(LATEST_ROS1)
        self._vendor = {}
        for name in _VENDOR:
            message = getattr(kuavo_msgs(), name)
            full = f"kuavo_msgs/msg/{name}"
            types = message_types(message._full_text, full)
            self._store.register({k: v for k, v in types.items() if k not in self._store.fielddefs})
            self._vendor[full] = (message._full_text, message._md5sum)
        self._writer = Writer(path)
        if compression not in COMPRESSIONS:
            raise ValueError(f"compression {compression!r}: choose from {', '.join(COMPRESSIONS)}")
        if compression != "none":
            self._writer.set_compression(Writer.CompressionFormat[compression.upper()])
        self._writer.chunk_threshold = CHUNK_BYTES
        self._connections: dict[str, Connection] = {}
        self._sequence: dict[str, int] = {}

    def __enter__(self) -> RobotBag:
        """Open the file."""
        self._writer.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the index and close the file."""
        self._writer.__exit__(kind, error, trace)

    def sensors(
        self,
        time: int,
        joint_q: np.ndarray,
        joint_v: np.ndarray | None = None,
        torque: np.ndarray | None = None,
    ) -> None:
        """`/sensors_data_raw`: positions, shape (28,) [rad], velocities [rad/s], torques [Nm]."""
        zeros = np.zeros(len(joint_q))
        make, empty = self._make, np.zeros(0)
        zero3 = make("geometry_msgs/Vector3", x=0.0, y=0.0, z=0.0)
        gravity = make("geometry_msgs/Vector3", x=0.0, y=0.0, z=9.81)
        message = make(
            "kuavo_msgs/sensorsData",
            header=self._header(topics.SENSORS, time),
            sensor_time=self._time(time),
            joint_data=make(
                "kuavo_msgs/jointData",
                joint_q=_floats(joint_q),
                joint_v=_floats(zeros if joint_v is None else joint_v),
                joint_vd=zeros,
                joint_torque=_floats(zeros if torque is None else torque),
            ),
            imu_data=make(
                "kuavo_msgs/imuData",
                gyro=zero3,
                acc=gravity,
                free_acc=zero3,
                quat=make("geometry_msgs/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
            ),
            end_effector_data=make(
                "kuavo_msgs/endEffectorData", name=[], position=empty, velocity=empty, effort=empty
            ),
            FTsensor_data=make(
                "kuavo_msgs/FTsensorData",
                **dict.fromkeys(("Fx", "Fy", "Fz", "Mx", "My", "Mz"), empty),
            ),
        )
        self._write(topics.SENSORS, "kuavo_msgs/sensorsData", time, message)

    def joint_command(self, time: int, joint_q: np.ndarray) -> None:
        """`/joint_cmd`: targets of all joints, shape (28,) [rad]."""
        zeros = np.zeros(len(joint_q))
        message = self._make(
            "kuavo_msgs/jointCmd",
            header=self._header(topics.JOINT_CMD, time),
            joint_q=_floats(joint_q),
            joint_v=zeros,
            tau=zeros,
            tau_max=np.full(len(joint_q), _STANDING_GAINS),
            tau_ratio=np.ones(len(joint_q)),
            joint_kp=zeros,
            joint_kd=zeros,
            control_modes=np.full(len(joint_q), _POSITION_MODE, dtype=np.int32),
        )
        self._write(topics.JOINT_CMD, "kuavo_msgs/jointCmd", time, message)

    def arm_traj(self, time: int, arms: np.ndarray, topic: str = topics.ARM_TRAJ) -> None:
        """`/kuavo_arm_traj` or its synced version: arms, shape (14,) [rad], sent in degrees."""
        names = [f"arm_joint_{i}" for i in range(1, 2 * layout.ARM_DOF + 1)]
        self._joint_state(topic, time, names, layout.arms_to_degrees(arms))

    def claw_state(self, time: int, position: np.ndarray) -> None:
        """`/leju_claw_state`: positions, shape (2,), 0…100."""
        message = self._make(
            "kuavo_msgs/lejuClawState",
            header=self._header(topics.CLAW_STATE, time),
            state=np.zeros(2, dtype=np.int8),
            data=self._claw_data(position),
            is_high_freq=False,
        )
        self._write(topics.CLAW_STATE, "kuavo_msgs/lejuClawState", time, message)

    def claw_command(self, time: int, position: np.ndarray) -> None:
        """`/leju_claw_command`: positions, shape (2,), 0…100."""
        message = self._make(
            "kuavo_msgs/lejuClawCommand",
            header=self._header(topics.CLAW_COMMAND, time),
            data=self._claw_data(position),
        )
        self._write(topics.CLAW_COMMAND, "kuavo_msgs/lejuClawCommand", time, message)

    def hand_state(self, effector: EndEffector, time: int, position: np.ndarray) -> None:
        """The hands' state in `effector`'s own message and numbers."""
        if effector.state_topic == topics.CLAW_STATE:
            self.claw_state(time, position)
        else:
            self._joint_state(effector.state_topic, time, [], position)

    def hand_command(self, effector: EndEffector, time: int, closures: np.ndarray) -> None:
        """Closures, shape (2,), 0 open … 1 closed, in `effector`'s own message and numbers."""
        position = effector.command(closures)
        topic = effector.command_topic
        if topic == topics.CLAW_COMMAND:
            self.claw_command(time, position)
        elif topic == topics.DEXHAND_COMMAND:
            left, right = position.reshape(2, -1).astype(np.uint8)
            message = self._make(
                "kuavo_msgs/robotHandPosition",
                header=self._header(topic, time),
                left_hand_position=left,
                right_hand_position=right,
            )
            self._write(topic, "kuavo_msgs/robotHandPosition", time, message)
        else:
            self._joint_state(topic, time, [], position)

    def base_command(self, topic: str, time: int, base: layout.Base) -> None:
        """`/cmd_pose_world` or its synced version.

        The synced one, which no robot reads, carries the move flag in `linear.z`: see
        `kuavo_train.data.bags.base`.
        """
        flag = base.move if topic == topics.CMD_POSE_WORLD_SYNCED else 0.0
        make = self._make
        message = make(
            "geometry_msgs/Twist",
            linear=make("geometry_msgs/Vector3", x=base.x, y=base.y, z=flag),
            angular=make("geometry_msgs/Vector3", x=0.0, y=0.0, z=base.yaw),
        )
        self._write(topic, "geometry_msgs/Twist", time, message)

    def odometry(
        self, time: int, pose: tuple[float, float, float], velocity: tuple[float, float, float]
    ) -> None:
        """`/odom`: pose x, y [m], yaw [rad]; velocity vx, vy [m/s], yaw rate [rad/s]."""
        make = self._make
        x, y, yaw = pose
        quaternion = make(
            "geometry_msgs/Quaternion", x=0.0, y=0.0, z=np.sin(yaw / 2), w=np.cos(yaw / 2)
        )
        position = make("geometry_msgs/Point", x=x, y=y, z=0.0)
        linear = make("geometry_msgs/Vector3", x=velocity[0], y=velocity[1], z=0.0)
        angular = make("geometry_msgs/Vector3", x=0.0, y=0.0, z=velocity[2])
        message = make(
            "nav_msgs/Odometry",
            header=self._header(topics.ODOM, time, "odom"),
            child_frame_id="base_link",
            pose=make(
                "geometry_msgs/PoseWithCovariance",
                pose=make("geometry_msgs/Pose", position=position, orientation=quaternion),
                covariance=np.zeros(36),
            ),
            twist=make(
                "geometry_msgs/TwistWithCovariance",
                twist=make("geometry_msgs/Twist", linear=linear, angular=angular),
                covariance=np.zeros(36),
            ),
        )
        self._write(topics.ODOM, "nav_msgs/Odometry", time, message)

    def image(self, topic: str, time: int, data: bytes, format: str = "jpeg") -> None:
        """A compressed image, as its bytes."""
        message = self._make(
            "sensor_msgs/CompressedImage",
            header=self._header(topic, time, topic.split("/")[1]),
            format=format,
            data=np.frombuffer(data, dtype=np.uint8),
        )
        self._write(topic, "sensor_msgs/CompressedImage", time, message)

    def _joint_state(self, topic: str, time: int, names: list[str], position: np.ndarray) -> None:
        message = self._make(
            "sensor_msgs/JointState",
            header=self._header(topic, time),
            name=names,
            position=_floats(position),
            velocity=np.zeros(0),
            effort=np.zeros(0),
        )
        self._write(topic, "sensor_msgs/JointState", time, message)

    def _claw_data(self, position: np.ndarray) -> Any:
        return self._make(
            "kuavo_msgs/endEffectorData",
            name=_CLAWS,
            position=_floats(position),
            velocity=np.full(2, 90.0),
            effort=np.ones(2),
        )

    def _make(self, kind: str, **fields: Any) -> Any:
        return self._store.types[kind.replace("/", "/msg/")](**fields)

    def _time(self, time: int) -> Any:
        seconds, nanoseconds = divmod(time, NANOSECONDS)
        return self._store.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)

    def _header(self, topic: str, time: int, frame: str = "") -> Any:
        sequence = self._sequence.get(topic, 0)
        self._sequence[topic] = sequence + 1
        return self._make("std_msgs/Header", seq=sequence, stamp=self._time(time), frame_id=frame)

    def _write(self, topic: str, kind: str, time: int, message: Any) -> None:
        full = kind.replace("/", "/msg/")
        if topic not in self._connections:
            definition, md5 = self._vendor.get(full) or self._store.generate_msgdef(full)
            self._connections[topic] = self._writer.add_connection(
                topic, full, msgdef=definition, md5sum=md5
            )
        data = self._store.serialize_ros1(message, full)
        self._writer.write(self._connections[topic], time, data)


def _floats(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)
