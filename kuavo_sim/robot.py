"""The simulated robot's body: what it is told, what it does, what its sensors say.

Arms follow their commands through servos; the base walks to a pose at a finite speed and refuses
arm commands meanwhile; claws open and close at a finite speed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import mujoco
import numpy as np

from kuavo_deploy.robot.layout import SENSOR_ARMS, SENSOR_HEAD, SENSOR_JOINT_COUNT
from kuavo_sim.model.names import (
    ARM_JOINTS,
    BASE_JOINTS,
    FINGER_JOINTS,
    FINGER_STROKE,
    HEAD_JOINTS,
)

HAND_SPEED = 2.5
"""Closures per second at full speed: 0.4 s from open to closed."""
WALK_SPEED = 0.45
"""[m/s]"""
TURN_SPEED = 0.9
"""[rad/s]"""
WALK_ACCELERATION = 0.6
TURN_ACCELERATION = 1.5
STRIDE_TIME = 0.9
"""Two steps [s]: the torso sways once to each side."""
SWAY_TURN = 1.5
"""The torso turns this much with its sway [rad/m]."""
SETTLE_TIME = 0.3
"""Back in stance this long after the last step [s]."""
_STILL = np.zeros(3)
STANDING_LEGS = (0.0, 0.0, -0.45, 0.85, -0.42, 0.0) * 2


class Pose2D(NamedTuple):
    """x, y [m], yaw [rad] in the odom frame, whose origin is the robot's start."""

    x: float
    y: float
    yaw: float


class Robot:
    """Reads and drives the robot's joints in a compiled model.

    Attributes:
        gait_sway: how far the torso sways to each side at full walking speed [m].
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._model, self._data = model, data
        self._arms = _addresses(model, ARM_JOINTS)
        self._fingers = _addresses(model, FINGER_JOINTS)
        self._head = _addresses(model, HEAD_JOINTS)
        self._base = _addresses(model, BASE_JOINTS)
        self._arm_act = _actuators(model, ARM_JOINTS)
        self._finger_act = _actuators(model, FINGER_JOINTS)
        self._head_act = _actuators(model, HEAD_JOINTS)
        self._base_act = _actuators(model, BASE_JOINTS)
        self._ranges = model.actuator_ctrlrange
        self._hand_target = np.zeros(2)
        self._hand_speed = np.full(2, HAND_SPEED)
        self._hand_reference = np.zeros(2)
        self._walk_target: np.ndarray | None = None
        self._walk_reference = np.zeros(3)
        self._walk_velocity = np.zeros(3)
        self._settled_at = 0.0
        self._gait_phase = 0.0
        self.gait_sway = 0.0

    def place(self, arms: np.ndarray, head: tuple[float, float], closures: np.ndarray) -> None:
        """Put the robot at rest in a posture, at the origin. arms (14,) [rad], head yaw, pitch."""
        data = self._data
        data.qpos[self._arms.q] = data.ctrl[self._arm_act] = arms
        data.qpos[self._head.q] = data.ctrl[self._head_act] = head
        self._hand_target = np.array(closures, dtype=float)
        self._hand_reference = self._hand_target.copy()
        data.qpos[self._fingers.q] = np.repeat(FINGER_STROKE * (1 - self._hand_target), 2)

    # what it is told

    def command_arms(self, positions: np.ndarray) -> bool:
        """Target of both arms, shape (14,) [rad]. Refused (False) while the base walks."""
        if self.walking:
            return False
        low, high = self._ranges[self._arm_act].T
        self._data.ctrl[self._arm_act] = np.minimum(np.maximum(positions, low), high)
        return True

    def command_hands(self, closures: np.ndarray, speed: np.ndarray | float = HAND_SPEED) -> None:
        """Target of both hands, shape (2,), 0 open … 1 closed; speed in closures per second."""
        self._hand_target = np.minimum(np.maximum(closures, 0.0), 1.0)
        self._hand_speed[:] = speed

    def command_head(self, yaw: float, pitch: float) -> None:
        """[rad]; pitch positive looks down."""
        low, high = self._model.actuator_ctrlrange[self._head_act].T
        self._data.ctrl[self._head_act] = np.clip((yaw, pitch), low, high)

    def walk_to(self, x: float, y: float, yaw: float) -> None:
        """Walk to a pose in the odom frame at a finite speed; stance again when it is reached."""
        target = np.array([x, y, yaw], dtype=float)
        if self._walk_target is None and np.abs(target - self._walk_reference).max() < 1e-3:
            return
        self._walk_target = target

    def stand(self) -> None:
        """Stop walking where the robot is (after it has braked)."""
        if self._walk_target is not None:
            speed = self._walk_velocity
            brake = (
                speed
                * np.abs(speed)
                / (2 * np.array([WALK_ACCELERATION] * 2 + [TURN_ACCELERATION]))
            )
            self._walk_target = self._walk_reference + brake

    # what it does, every physics step

    def update(self) -> None:
        """Advance the references of hands and base by one physics step."""
        step = self._model.opt.timestep
        most = self._hand_speed * step
        change = np.minimum(np.maximum(self._hand_target - self._hand_reference, -most), most)
        self._hand_reference = self._hand_reference + change
        # a little beyond closed, so that a closed claw presses instead of just touching
        opening = FINGER_STROKE * (1 - self._hand_reference) - 0.004 * self._hand_reference
        self._data.ctrl[self._finger_act] = opening.repeat(2)
        if self._walk_target is not None:
            self._walk(step)
        self._data.ctrl[self._base_act] = self._walk_reference + self._sway(step)

    def _walk(self, step: float) -> None:
        assert self._walk_target is not None
        error = self._walk_target - self._walk_reference
        limits = ((WALK_SPEED, WALK_ACCELERATION), (TURN_SPEED, TURN_ACCELERATION))
        for part, (speed, acceleration) in zip((slice(0, 2), slice(2, 3)), limits, strict=True):
            distance = float(np.linalg.norm(error[part]))
            wanted = min(speed, math.sqrt(2 * acceleration * distance), distance / step)
            direction = error[part] / distance if distance > 1e-9 else np.zeros_like(error[part])
            change = wanted * direction - self._walk_velocity[part]
            size = float(np.linalg.norm(change))
            if size > acceleration * step and wanted > acceleration * step:
                change *= acceleration * step / size
            self._walk_velocity[part] += change
        self._walk_reference = self._walk_reference + self._walk_velocity * step
        if np.abs(self._walk_target - self._walk_reference).max() < 1e-4:
            self._walk_reference = self._walk_target.copy()
            self._walk_velocity[:] = 0.0
            self._walk_target = None
            self._settled_at = self._data.time + SETTLE_TIME

    def _sway(self, step: float) -> np.ndarray:
        """Deviation of the torso from the walk's straight line: x, y [m], yaw [rad]."""
        if not self._walk_velocity.any():
            self._gait_phase = 0.0
            return _STILL
        pace = math.hypot(
            float(np.linalg.norm(self._walk_velocity[:2])) / WALK_SPEED,
            self._walk_velocity[2] / TURN_SPEED,
        )
        self._gait_phase += math.tau * step / STRIDE_TIME
        aside = self.gait_sway * min(1.0, pace) * math.sin(self._gait_phase)
        yaw = self._walk_reference[2]
        return aside * np.array([-math.sin(yaw), math.cos(yaw), SWAY_TURN])

    # what it feels

    @property
    def walking(self) -> bool:
        """True from the walk command until the robot stands still again."""
        return self._walk_target is not None or self._data.time < self._settled_at

    @property
    def walk_reference(self) -> Pose2D:
        """Where the walk is now; the base follows a few centimetres behind."""
        return Pose2D(*(float(v) for v in self._walk_reference))

    @property
    def arm_positions(self) -> np.ndarray:
        """Shape (14,) [rad], left then right."""
        return self._data.qpos[self._arms.q].copy()

    @property
    def arm_velocities(self) -> np.ndarray:
        """Shape (14,) [rad/s]."""
        return self._data.qvel[self._arms.v].copy()

    @property
    def arm_torques(self) -> np.ndarray:
        """Shape (14,) [Nm], of the servos."""
        return self._data.actuator_force[self._arm_act].copy()

    @property
    def arm_command(self) -> np.ndarray:
        """Shape (14,) [rad]: the target that the servos follow now."""
        return self._data.ctrl[self._arm_act].copy()

    @property
    def head_positions(self) -> np.ndarray:
        """Shape (2,) [rad]: yaw, pitch."""
        return self._data.qpos[self._head.q].copy()

    @property
    def head_command(self) -> np.ndarray:
        """Shape (2,) [rad]: the head's target, yaw and pitch."""
        return self._data.ctrl[self._head_act].copy()

    @property
    def hand_closures(self) -> np.ndarray:
        """Shape (2,), 0 open … 1 closed, measured."""
        opening = self._data.qpos[self._fingers.q].reshape(2, 2).mean(axis=1) / FINGER_STROKE
        return np.clip(1.0 - opening, 0.0, 1.0)

    @property
    def hand_command(self) -> np.ndarray:
        """Shape (2,): where the hands are told to go."""
        return self._hand_target.copy()

    @property
    def base_pose(self) -> Pose2D:
        """Where the base is, measured."""
        return Pose2D(*(float(v) for v in self._data.qpos[self._base.q]))

    @property
    def base_velocity(self) -> Pose2D:
        """vx, vy [m/s], yaw rate [rad/s] in the odom frame."""
        return Pose2D(*(float(v) for v in self._data.qvel[self._base.v]))

    def joint_vector(self) -> np.ndarray:
        """The 28 `joint_q` of `/sensors_data_raw`: legs 12, arms 14, head 2 [rad]."""
        joints = np.empty(SENSOR_JOINT_COUNT)
        joints[:12] = STANDING_LEGS
        joints[SENSOR_ARMS] = self.arm_positions
        joints[SENSOR_HEAD] = self.head_positions
        return joints


class _Addresses(NamedTuple):
    q: np.ndarray
    v: np.ndarray


def _addresses(model: mujoco.MjModel, names: tuple[str, ...]) -> _Addresses:
    joints = [model.joint(name) for name in names]
    return _Addresses(
        np.array([joint.qposadr[0] for joint in joints]),
        np.array([joint.dofadr[0] for joint in joints]),
    )


def _actuators(model: mujoco.MjModel, names: tuple[str, ...]) -> np.ndarray:
    return np.array([model.actuator(name).id for name in names])
