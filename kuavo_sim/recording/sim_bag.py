"""Listens to a running simulation and writes its topics to a bag, at the robot's rates."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.end_effectors import EndEffector, get_end_effector
from kuavo_sim.recording.robot_bag import NANOSECONDS, RobotBag
from kuavo_sim.ros.depth import encode_depth
from kuavo_sim.simulation import Simulation

EPOCH = 1_700_000_000
"""Where simulated time 0 lies [s since the Unix epoch]: stamps of 0 mean 'no stamp' in ROS."""
IMAGE_PERIODS = (0.0, 1 / 3, 2 / 3)


@dataclass(frozen=True)
class BagOptions:
    """How a simulated episode is put on a bag; the defaults are the robot's.

    image_size: height, width [px]. sensor_hz: `/sensors_data_raw` and `/joint_cmd`. command_hz:
    arm, hand and base commands, hand state and odometry. camera_hz: 10 or 30. jpeg_quality: 1…100.
    depth: the depth cameras too. compression: none, lz4 or bz2.
    """

    image_size: tuple[int, int] = (480, 640)
    sensor_hz: int = 500
    command_hz: int = 100
    camera_hz: int = 30
    jpeg_quality: int = 90
    depth: bool = False
    end_effector: str = "lejuclaw"
    compression: str = "none"

    def __post_init__(self) -> None:
        """Refuse rates that do not hit every control period.

        Raises:
            ValueError: names the rate.
        """
        for name in ("sensor_hz", "command_hz"):
            if getattr(self, name) not in (50, 100, 250, 500):
                raise ValueError(f"{name} is one of 50, 100, 250, 500, not {getattr(self, name)}")
        if self.camera_hz not in (10, 30):
            raise ValueError(f"camera_hz is 10 or 30, not {self.camera_hz}")
        get_end_effector(self.end_effector)


class SimBag:
    """Writes what is due after each physics step of a simulation.

    Append it to `KuavoEnv.on_substep`, and call it once with the freshly reset simulation.
    Cameras at 30 Hz expose at the physics step nearest to their moment, every third image
    exactly at the control period.
    """

    def __init__(self, bag: RobotBag, options: BagOptions) -> None:
        self._bag, self._options = bag, options
        self._effector: EndEffector = get_end_effector(options.end_effector)
        self._walk: tuple[float, ...] | None = None

    def __call__(self, sim: Simulation) -> None:
        """Write what is due at `sim.time`."""
        step = round(sim.time / sim.timestep)
        rate = round(1 / sim.timestep)
        time = EPOCH * NANOSECONDS + round(step * sim.timestep * 1e6) * 1000
        if step % (rate // self._options.sensor_hz) == 0:
            self._sensors(sim, time)
        if step % (rate // self._options.command_hz) == 0:
            self._commands(sim, time)
        if self._exposes(step, rate):
            self._images(sim, time)

    def _exposes(self, step: int, rate: int) -> bool:
        if self._options.camera_hz == 10:
            return step % (rate // 10) == 0
        period = rate // 10
        return step % period in {round(part * period) for part in IMAGE_PERIODS}

    def _sensors(self, sim: Simulation, time: int) -> None:
        robot = sim.robot
        joints = robot.joint_vector()
        velocity, torque = np.zeros_like(joints), np.zeros_like(joints)
        velocity[layout.SENSOR_ARMS] = robot.arm_velocities
        torque[layout.SENSOR_ARMS] = robot.arm_torques
        self._bag.sensors(time, joints, velocity, torque)
        command = joints.copy()
        command[layout.SENSOR_ARMS] = robot.arm_command
        self._bag.joint_command(time, command)

    def _commands(self, sim: Simulation, time: int) -> None:
        robot = sim.robot
        arms, hands, base = layout.split(sim.command)
        self._bag.arm_traj(time, arms)
        self._bag.hand_command(self._effector, time, hands)
        self._bag.hand_state(self._effector, time, self._effector.state(robot.hand_closures))
        self._bag.odometry(time, robot.base_pose, robot.base_velocity)
        if base is not None:
            self._bag.arm_traj(time, arms, topics.ARM_TRAJ_SYNCED)
            self._bag.base_command(topics.CMD_POSE_WORLD_SYNCED, time, base)
            target = (base.x, base.y, base.yaw)
            if base.move > layout.MOVE_THRESHOLD and target != self._walk:
                self._bag.base_command(topics.CMD_POSE_WORLD, time, base)
                self._walk = target

    def _images(self, sim: Simulation, time: int) -> None:
        height, width = self._options.image_size
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._options.jpeg_quality]
        for camera, topic in topics.CAMERA_TOPICS.items():
            image = cv2.cvtColor(sim.render(camera, height, width), cv2.COLOR_RGB2BGR)
            self._bag.image(topic, time, cv2.imencode(".jpg", image, quality)[1].tobytes())
        if self._options.depth:
            cameras = zip(topics.CAMERAS, topics.DEPTH_TOPICS.values(), strict=True)
            for camera, topic in cameras:
                depth = sim.render_depth(camera, height, width)
                self._bag.image(topic, time, encode_depth(depth), "16UC1; compressedDepth png")
