"""Hand commands of the three end effectors, all driving the same simulated claw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import Claw, DexHand, EndEffector, Gripper2F85
from kuavo_deploy.robot.end_effectors.claw import FULL_SCALE
from kuavo_deploy.robot.end_effectors.dexhand import FINGERS
from kuavo_sim.robot import HAND_SPEED
from kuavo_sim.ros.refused import Refused, finite

CLAW_NAMES = ("left_claw", "right_claw")
DEFAULT_VELOCITY = 50.0
"""Of a claw command without velocities [% of the full speed]; the message file's figure."""


class HandControl:
    """Where the hands are told to go, and how fast.

    Attributes:
        closures: shape (2,), 0 open … 1 closed. speeds: shape (2,) [closures/s].
    """

    def __init__(self, effector: EndEffector, closures: np.ndarray) -> None:
        self.effector = effector
        self.closures = np.array(closures, dtype=np.float64)
        self.speeds = np.full(2, HAND_SPEED)

    def claw(
        self,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
    ) -> None:
        """`/leju_claw_command`: 0…100 for the named claws; effort [A] changes nothing.

        Raises:
            Refused: another end effector is fitted, an unknown name, or a number out of range.
        """
        what = topics.CLAW_COMMAND
        self._check_fitted(Claw.name, what)
        names = list(names) or list(CLAW_NAMES)
        if len(set(names)) != len(names) or not set(names) <= set(CLAW_NAMES):
            raise Refused(f"{what}: names are {' and '.join(CLAW_NAMES)}, got {names}")
        count = len(names)
        positions = _percent(position, count, f"{what}, position")
        speeds = np.full(count, DEFAULT_VELOCITY)
        if len(velocity):
            speeds = _percent(velocity, count, f"{what}, velocity")
        if len(effort):
            finite(effort, count, f"{what}, effort")
        hands = [CLAW_NAMES.index(name) for name in names]
        both = self.effector.command(self.closures)
        both[hands] = positions
        self.closures = self.effector.closure_from_command(both)
        self.speeds[hands] = HAND_SPEED * speeds / 100.0

    def dexterous(self, left: Sequence[int], right: Sequence[int]) -> None:
        """`/control_robot_hand_position`: six numbers 0…100 a hand; an empty hand stays.

        Raises:
            Refused: another end effector is fitted, or a number out of range.
        """
        what = topics.DEXHAND_COMMAND
        self._check_fitted(DexHand.name, what)
        fingers = self.effector.command(self.closures).reshape(2, FINGERS)
        for hand, given in enumerate((left, right)):
            if len(given):
                fingers[hand] = _percent(list(given), FINGERS, what)
        self.closures = self.effector.closure_from_command(fingers.reshape(-1))
        self.speeds[:] = HAND_SPEED

    def gripper(self, position: Sequence[float]) -> None:
        """`/gripper/command`: 0…255, left and right.

        Raises:
            Refused: another end effector is fitted, or a number out of range.
        """
        what = topics.GRIPPER_COMMAND
        self._check_fitted(Gripper2F85.name, what)
        closures = self.effector.closure_from_command(finite(position, 2, what))
        self.closures = np.clip(closures, 0.0, 1.0)
        self.speeds[:] = HAND_SPEED

    def _check_fitted(self, name: str, what: str) -> None:
        if self.effector.name != name:
            raise Refused(f"{what}: the robot has {self.effector.name}, not {name}")


def _percent(values: Sequence[float], count: int, what: str) -> np.ndarray:
    array = finite(values, count, what)
    if (array < 0).any() or (array > FULL_SCALE).any():
        raise Refused(f"{what}: 0…100, got {array.tolist()}")
    return array
