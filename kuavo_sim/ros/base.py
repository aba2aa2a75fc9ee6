"""Walking commands: to a pose in the odom frame, relative to the robot, or with a velocity."""

from __future__ import annotations

import math

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.layout import wrap_angle
from kuavo_sim.robot import (
    TURN_ACCELERATION,
    TURN_SPEED,
    WALK_ACCELERATION,
    WALK_SPEED,
    Robot,
)
from kuavo_sim.ros.refused import finite


class BaseControl:
    """Turns the three walking topics into targets of the simulated robot.

    Args:
        robot: walks.
        velocity_timeout: a `/cmd_vel` that is not renewed ends after this long [s].
    """

    def __init__(self, robot: Robot, velocity_timeout: float) -> None:
        self._robot = robot
        self._timeout = velocity_timeout
        self._velocity: np.ndarray | None = None
        self._until = 0.0

    def walk_to(self, x: float, y: float, yaw: float) -> None:
        """`/cmd_pose_world`: x, y [m], yaw [rad] in the odom frame.

        Raises:
            Refused: a number is not finite.
        """
        x, y, yaw = finite((x, y, yaw), 3, topics.CMD_POSE_WORLD)
        self._velocity = None
        here = self._robot.walk_reference.yaw
        # the short way round
        self._robot.walk_to(x, y, here + wrap_angle(yaw - here))

    def walk_by(self, forward: float, left: float, turn: float) -> None:
        """`/cmd_pose`: metres and radians from where the robot stands, in its own frame.

        Raises:
            Refused: a number is not finite.
        """
        forward, left, turn = finite((forward, left, turn), 3, topics.CMD_POSE)
        self._velocity = None
        here = self._robot.walk_reference
        cos, sin = math.cos(here.yaw), math.sin(here.yaw)
        self._robot.walk_to(
            here.x + cos * forward - sin * left,
            here.y + sin * forward + cos * left,
            here.yaw + turn,
        )

    def walk_with(self, forward: float, left: float, turn: float, now: float) -> None:
        """`/cmd_vel`: m/s and rad/s in the robot's own frame; zero stops.

        Raises:
            Refused: a number is not finite.
        """
        velocity = finite((forward, left, turn), 3, topics.CMD_VEL)
        if not velocity.any():
            self.stop()
            return
        speed = float(np.hypot(*velocity[:2]))
        if speed > WALK_SPEED:
            velocity[:2] *= WALK_SPEED / speed
        velocity[2] = np.clip(velocity[2], -TURN_SPEED, TURN_SPEED)
        self._velocity, self._until = velocity, now + self._timeout

    def stop(self) -> None:
        """Brake and stand."""
        self._velocity = None
        self._robot.stand()

    def update(self, now: float) -> None:
        """Keep the velocity in force going; call before every physics step."""
        if self._velocity is None:
            return
        if now >= self._until:
            self.stop()
            return
        here = self._robot.walk_reference
        forward, left, turn = self._velocity
        cos, sin = math.cos(here.yaw), math.sin(here.yaw)
        # the walk approaches its target with √(2·a·distance): a target this far ahead gives v
        ahead = math.hypot(forward, left) / (2 * WALK_ACCELERATION)
        self._robot.walk_to(
            here.x + (cos * forward - sin * left) * ahead,
            here.y + (sin * forward + cos * left) * ahead,
            here.yaw + turn * abs(turn) / (2 * TURN_ACCELERATION),
        )
