"""What the robot's sensors say now, as plain arrays in the order and units of its topics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kuavo_deploy.robot.layout import SENSOR_ARMS, SENSOR_HEAD, SENSOR_JOINT_COUNT
from kuavo_sim.model.names import ARM_JOINTS, BASE_HEIGHT, BASE_JOINTS, HEAD_JOINTS, SIDES
from kuavo_sim.robot import STANDING_LEGS
from kuavo_sim.simulation import Simulation

GRAVITY = 9.81
CLAW_MOVING, CLAW_REACHED, CLAW_GRABBED = 1, 2, 3
_REACHED = 0.02
"""A claw has reached its target when it is this close [closure]."""


@dataclass(frozen=True)
class JointReading:
    """28 joints: legs 12, arms 14, head 2. [rad], [rad/s], [rad/s²], [Nm]; target [rad]."""

    position: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    torque: np.ndarray
    target: np.ndarray


@dataclass(frozen=True)
class BaseReading:
    """The base in the odom frame and its motion in its own frame.

    position: (3,) [m] of base_link; quaternion: (4,) x, y, z, w; linear: (3,) [m/s];
    angular: (3,) [rad/s]; acceleration: (3,) [m/s²] without gravity.
    """

    position: np.ndarray
    quaternion: np.ndarray
    linear: np.ndarray
    angular: np.ndarray
    acceleration: np.ndarray


@dataclass(frozen=True)
class HandReading:
    """closure, target: (2,), 0 open … 1 closed; state: of each hand, as the claw tells it."""

    closure: np.ndarray
    target: np.ndarray
    state: tuple[int, int]


class Readings:
    """Reads one simulation."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        model = sim.model
        moving = ARM_JOINTS + HEAD_JOINTS
        self._moving = np.array([model.joint(name).dofadr[0] for name in moving])
        self._actuators = np.array([model.actuator(name).id for name in moving])
        self._base = np.array([model.joint(name).dofadr[0] for name in BASE_JOINTS])

    def joints(self) -> JointReading:
        """Of the 28 joints of `/sensors_data_raw`."""
        sim, data = self._sim, self._sim.data
        target = np.empty(SENSOR_JOINT_COUNT)
        target[:12] = STANDING_LEGS
        target[SENSOR_ARMS] = sim.robot.arm_command
        target[SENSOR_HEAD] = sim.robot.head_command
        return JointReading(
            sim.robot.joint_vector(),
            _after_legs(data.qvel[self._moving]),
            _after_legs(data.qacc[self._moving]),
            _after_legs(data.actuator_force[self._actuators]),
            target,
        )

    def base(self) -> BaseReading:
        """Of the base: odometry and the torso's IMU."""
        pose, velocity = self._sim.robot.base_pose, self._sim.robot.base_velocity
        ax, ay, _ = self._sim.data.qacc[self._base]
        cos, sin = np.cos(pose.yaw), np.sin(pose.yaw)
        turn = np.array([[cos, sin], [-sin, cos]])
        return BaseReading(
            position=np.array([pose.x, pose.y, BASE_HEIGHT]),
            quaternion=np.array([0.0, 0.0, np.sin(pose.yaw / 2), np.cos(pose.yaw / 2)]),
            linear=np.append(turn @ (velocity.x, velocity.y), 0.0),
            angular=np.array([0.0, 0.0, velocity.yaw]),
            acceleration=np.append(turn @ (ax, ay), 0.0),
        )

    def hands(self) -> HandReading:
        """Of both hands."""
        robot = self._sim.robot
        closure, target = robot.hand_closures, robot.hand_command
        left, right = (
            self._hand_state(side, abs(closure[i] - target[i])) for i, side in enumerate(SIDES)
        )
        return HandReading(closure, target, (left, right))

    def _hand_state(self, side: str, error: float) -> int:
        if self._sim.grasps.held_by(side) is not None:
            return CLAW_GRABBED
        return CLAW_REACHED if error < _REACHED else CLAW_MOVING


def _after_legs(values: np.ndarray) -> np.ndarray:
    joints = np.zeros(SENSOR_JOINT_COUNT)
    joints[12:] = values
    return joints
