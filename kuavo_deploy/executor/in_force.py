"""The whole command in force at every tick, for recordings.

While the base walks nothing is sent to the arms, and while it stands nothing to the base; what was
sent last is still in force. Bags of walking tasks carry it as `/kuavo_arm_traj_synced` and
`/cmd_pose_world_synced`, and from them a recorded run becomes training data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kuavo_deploy.executor.base import Odometry, Phase, Pose
from kuavo_deploy.executor.motion import Commands
from kuavo_deploy.robot.layout import Base


class Whole(NamedTuple):
    """arms: shape (14,) [rad]. base: pose in odom and the move flag, 0 or 1."""

    arms: np.ndarray
    base: Base


class InForce:
    """Remembers what was sent last."""

    def __init__(self) -> None:
        self._arms: np.ndarray | None = None
        self._pose: Pose | None = None

    def update(
        self, commands: Commands, phase: Phase, odometry: Odometry | None
    ) -> Whole | None:
        """After a tick.

        Args:
            commands: what was sent.
            phase: who has the robot.
            odometry: None when it is not known; before the first walk the base is to stay there.

        Returns:
            None when nothing is in force: the arms are not commanded, or the base was never seen.
        """
        if commands.arms is not None:
            self._arms = commands.arms
        elif phase is Phase.STANCE:
            self._arms = self._pose = None
            return None
        if commands.base is not None:
            self._pose = commands.base
        elif self._pose is None and odometry is not None:
            self._pose = odometry.pose
        if self._arms is None or self._pose is None:
            return None
        move = float(phase in (Phase.BRAKING_ARMS, Phase.WALKING))
        return Whole(self._arms, Base(*self._pose, move=move))
