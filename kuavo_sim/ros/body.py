"""The robot as its topics see it: takes commands, refuses some, moves the simulated body.

The operator's pause and stop: while paused, arms and head keep their targets, hands keep their
grip, the base brakes, and motion commands are refused; stop does the same and puts the arms into
mode 0, so that after its end they move only once somebody has switched to mode 2 again.
"""

from __future__ import annotations

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import EndEffector
from kuavo_sim.ros.arms import ArmControl
from kuavo_sim.ros.base import BaseControl
from kuavo_sim.ros.hands import HandControl
from kuavo_sim.ros.refused import Refused, finite
from kuavo_sim.simulation import Simulation


class Body:
    """One simulated robot under external command.

    Args:
        sim: the world it stands in.
        effector: which hands its topics pretend to have.
        velocity_timeout: a `/cmd_vel` ends when it is not renewed for this long [s].

    Attributes:
        arms, base, hands: what the topics command. paused, stopped: the operator's wishes.
    """

    def __init__(
        self, sim: Simulation, effector: EndEffector, velocity_timeout: float = 0.5
    ) -> None:
        self._robot = sim.robot
        self.arms = ArmControl(self._robot.arm_command, sim.scene.start_arms)
        self.base = BaseControl(self._robot, velocity_timeout)
        self.hands = HandControl(effector, self._robot.hand_command)
        self.paused = False
        self.stopped = False

    @property
    def held(self) -> bool:
        """Does the operator hold the robot?"""
        return self.paused or self.stopped

    def check_free(self, what: str) -> None:
        """Raise Refused while the operator holds the robot."""
        if self.held:
            topic = topics.STOP_STATE if self.stopped else topics.PAUSE_STATE
            raise Refused(f"{what}: the operator holds the robot ({topic})")

    def pause(self, wanted: bool) -> None:
        """`/kuavo/pause_state`."""
        self.paused = wanted
        if wanted:
            self._freeze()

    def stop(self, wanted: bool, now: float) -> None:
        """`/kuavo/stop_state`."""
        self.stopped = wanted
        if wanted:
            self.arms.set_mode(topics.ARM_MODE_KEEP, now)
            self._freeze()

    def turn_head(self, degrees: object) -> None:
        """`/robot_head_motion_data`: yaw, pitch [deg]; pitch positive looks down.

        Raises:
            Refused: not two finite numbers.
        """
        yaw, pitch = np.deg2rad(finite(degrees, 2, topics.HEAD_COMMAND))
        self._robot.command_head(yaw, pitch)

    def update(self, now: float) -> None:
        """Pass the commands in force on to the simulated robot; call before every physics step."""
        self.base.update(now)
        self._robot.command_arms(self.arms.update(now, self._robot.walking))
        self._robot.command_hands(self.hands.closures, self.hands.speeds)

    def _freeze(self) -> None:
        self.arms.hold()
        self.base.stop()
