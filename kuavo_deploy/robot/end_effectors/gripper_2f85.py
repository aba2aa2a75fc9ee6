"""Robotiq 2F-85 of Leju's simulator: state 0…0.8 rad, command 0…255."""

from __future__ import annotations

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors.base import EndEffector, check_length

STATE_SCALE = 0.8
COMMAND_SCALE = 255.0


class Gripper2F85(EndEffector):
    """`rq2f85`. One number a hand, left then right."""

    name = "rq2f85"
    state_topic = topics.GRIPPER_STATE
    state_type = "sensor_msgs/JointState"
    command_topic = topics.GRIPPER_COMMAND
    command_type = "sensor_msgs/JointState"

    def closure_from_state(self, position: np.ndarray) -> np.ndarray:
        """Closures out of the state message."""
        return check_length(position, 2, "the grippers' state") / STATE_SCALE

    def closure_from_command(self, position: np.ndarray) -> np.ndarray:
        """Closures out of the command message."""
        return check_length(position, 2, "the grippers' command") / COMMAND_SCALE

    def state(self, closure: np.ndarray) -> np.ndarray:
        """The state message's positions."""
        return np.clip(check_length(closure, 2, "a closure"), 0.0, 1.0) * STATE_SCALE

    def command(self, closure: np.ndarray) -> np.ndarray:
        """The command message's positions."""
        return np.clip(check_length(closure, 2, "a closure"), 0.0, 1.0) * COMMAND_SCALE
