"""The simulation node's private parameters, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from kuavo_deploy.robot.end_effectors import Claw, EndEffector, get_end_effector
from kuavo_deploy.robot.version import RobotLimits, load_limits
from kuavo_sim.ros.cameras import CameraOptions
from kuavo_train.tasks import Task, task_named
from kuavo_train.tasks.registry import configs_root

PHYSICS_HZ = 500


@dataclass(frozen=True)
class Settings:
    """Parameters of the simulation node, with their defaults.

    task: name, id, 中文 name, alias or instruction. seed: of the scene.
    rate: simulated seconds per second; other than 1 needs `clock`, which publishes /clock.
    viewer: a window. expert: the task's expert drives the robot, through the topics.
    end_effector: lejuclaw, qiangnao or rq2f85. claw_closed_at: 100 or 0. robot_version: e.g. 45.
    wait_for_images: physics waits for the cameras; needs `clock`.
    width, height [px], camera_hz, depth, overview, shadows, jpeg_quality: of the images.
    sensors_hz: /sensors_data_raw and /joint_cmd; state_hz: odometry and hands.
    velocity_timeout: a /cmd_vel ends without renewal [s]. obey_operator: follow pause and stop.
    """

    task: str = "weighing"
    seed: int = 0
    rate: float = 1.0
    clock: bool = False
    viewer: bool = False
    expert: bool = False
    end_effector: str = "lejuclaw"
    claw_closed_at: float = 100.0
    robot_version: int = 45
    width: int = 640
    height: int = 480
    camera_hz: float = 10.0
    depth: bool = False
    overview: bool = False
    shadows: bool = True
    wait_for_images: bool = False
    jpeg_quality: int = 90
    sensors_hz: float = 500.0
    state_hz: float = 100.0
    velocity_timeout: float = 0.5
    obey_operator: bool = True

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Settings:
        """Check parameters as rosparam gives them.

        Raises:
            ValueError: an unknown name, a wrong type or value; says what is valid.
        """
        known = {field.name: type(field.default) for field in fields(cls)}
        unknown = sorted(set(parameters) - set(known))
        if unknown:
            raise ValueError(f"unknown parameter {unknown[0]!r}: choose from {', '.join(known)}")
        values = {name: _typed(name, value, known[name]) for name, value in parameters.items()}
        settings = cls(**values)
        settings._check()
        return settings

    @property
    def the_task(self) -> Task:
        """The task that `task` names."""
        return task_named(self.task)

    @property
    def effector(self) -> EndEffector:
        """The end effector, with its configuration."""
        effector = get_end_effector(self.end_effector)
        return Claw(self.claw_closed_at) if isinstance(effector, Claw) else effector

    @property
    def limits(self) -> RobotLimits:
        """Joint limits of the robot version."""
        return load_limits(self.robot_version, configs_root() / "robot")

    @property
    def cameras(self) -> CameraOptions:
        """What is rendered."""
        return CameraOptions(
            self.width, self.height, self.jpeg_quality, self.depth, self.overview, self.shadows
        )

    def _check(self) -> None:
        _ = self.the_task, self.effector, self.limits
        if self.rate != 1.0 and not self.clock:
            raise ValueError(
                f"rate {self.rate:g} needs clock:=true: faster or slower than the wall clock, "
                "stamps must come from /clock"
            )
        if self.wait_for_images and not self.clock:
            raise ValueError("wait_for_images needs clock:=true: waiting slows the simulation down")
        ranges = {
            "seed": (0, 2**31 - 1),
            "rate": (0.01, 100),
            "width": (16, 1280),
            "height": (16, 960),
            "jpeg_quality": (1, 100),
            "camera_hz": (0, PHYSICS_HZ),
            "sensors_hz": (1, PHYSICS_HZ),
            "state_hz": (1, PHYSICS_HZ),
            "velocity_timeout": (0.01, 60),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {low}…{high}, not {value}")


def _typed(name: str, value: Any, kind: type) -> Any:
    # roslaunch turns task:=2 into a number and rate:=2 into an int
    if kind is str and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{name} must be {kind.__name__}, is {value!r}")
    return value
