"""Arm modes and arm commands, as the robot's controller treats them.

Mode 0 keeps the posture, mode 1 swings gently back to the neutral posture (and stays there), mode
2 follows external commands. Only mode 2 listens; while the base walks nobody is listened to.
"""

from __future__ import annotations

import numpy as np

from kuavo_deploy.robot import layout, topics
from kuavo_sim.ros.motion import Motion
from kuavo_sim.ros.refused import Refused, finite

MODES = {
    topics.ARM_MODE_KEEP: "keep",
    topics.ARM_MODE_AUTO_SWING: "auto swing",
    topics.ARM_MODE_EXTERNAL: "external control",
}
RETURN_SPEED = 0.5
"""Peak speed of the fastest joint on the way back to the neutral posture [rad/s]."""
ARMS = 14


class ArmControl:
    """Decides the arms' target.

    Args:
        target: shape (14,) [rad], left then right: the target now.
        neutral: shape (14,) [rad]: where mode 1 goes.

    Attributes:
        mode: 0, 1 or 2. target: shape (14,) [rad], what the servos are to follow.
    """

    def __init__(self, target: np.ndarray, neutral: np.ndarray) -> None:
        self.mode = topics.ARM_MODE_AUTO_SWING
        self.target = np.array(target, dtype=np.float64)
        self._neutral = np.array(neutral, dtype=np.float64)
        self._motion: Motion | None = None
        self._walking = False

    def set_mode(self, mode: int, now: float) -> None:
        """Change the mode; the target does not jump.

        Raises:
            Refused: there is no such mode.
        """
        if mode not in MODES:
            valid = ", ".join(f"{number} {name}" for number, name in MODES.items())
            raise Refused(f"there is no arm mode {mode}: choose from {valid}")
        self.mode = mode
        self._motion = None
        if mode == topics.ARM_MODE_AUTO_SWING:
            self._return_to_neutral(now)

    def hold(self) -> None:
        """Drop what is under way and keep the present target."""
        self._motion = None

    def follow(self, degrees: object) -> None:
        """`/kuavo_arm_traj`: 14 positions [deg], in force at once.

        Raises:
            Refused: not in mode 2, the base walks, or not 14 finite numbers.
        """
        positions = finite(degrees, ARMS, topics.ARM_TRAJ)
        self._check_listening(topics.ARM_TRAJ)
        self._motion = None
        self.target = layout.arms_from_degrees(positions)

    def follow_poses(self, times: object, degrees: object, now: float) -> None:
        """`/kuavo_arm_target_poses`: pass through postures at times from now on.

        Args:
            times: K times after now, rising [s].
            degrees: K × 14 positions, flattened [deg].
            now: [s]

        Raises:
            Refused: as `follow`, or the times don't rise from above 0.
        """
        what = topics.ARM_TARGET_POSES
        count = np.asarray(times).size
        seconds = finite(times, count, f"{what}, times")
        points = finite(degrees, count * ARMS, f"{what}, values").reshape(count, ARMS)
        if count == 0 or seconds[0] <= 0 or (np.diff(seconds) <= 0).any():
            raise Refused(f"{what}: times must rise from above 0, got {seconds.tolist()}")
        self._check_listening(what)
        self._motion = Motion(now, self.target, seconds, layout.arms_from_degrees(points))

    def update(self, now: float, walking: bool) -> np.ndarray:
        """The target now, shape (14,) [rad]."""
        if walking != self._walking:
            self._walking = walking
            self._motion = None
            if not walking and self.mode == topics.ARM_MODE_AUTO_SWING:
                self._return_to_neutral(now)
        if self._motion is not None:
            self.target = self._motion.at(now)
            if self._motion.ended(now):
                self._motion = None
        return self.target

    def _check_listening(self, what: str) -> None:
        if self.mode != topics.ARM_MODE_EXTERNAL:
            raise Refused(
                f"{what}: the arms are in mode {self.mode} ({MODES[self.mode]}); they follow "
                f"commands in mode 2, see {topics.CHANGE_ARM_MODE}"
            )
        if self._walking:
            raise Refused(f"{what}: the base walks; arms are refused until it stands again")

    def _return_to_neutral(self, now: float) -> None:
        distance = float(np.abs(self._neutral - self.target).max())
        if distance > 1e-6:
            # a cubic between two rests peaks at 1.5 times its mean speed
            duration = np.array([1.5 * distance / RETURN_SPEED])
            self._motion = Motion(now, self.target, duration, self._neutral[None])
