"""The hand-over between standing and walking: while the base walks, the arms hold.

    STANCE ──move > 0.5──▶ BRAKING_ARMS ──arms stand──▶ WALKING ──move ≤ 0.5 for a while──▶
    SETTLING ──base stands──▶ STANCE

The robot refuses arm commands while it walks, so none are sent from WALKING until STANCE.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Tuple

from kuavo_deploy.robot.layout import MOVE_THRESHOLD, Base, wrap_angle

Pose = Tuple[float, float, float]
"""x, y [m], yaw [rad] in the odom frame."""


class Odometry(NamedTuple):
    """Where the base is and how fast: [m], [rad], [m/s], [rad/s]."""

    pose: Pose
    speed: float
    turn_rate: float


@dataclass(frozen=True)
class BaseSettings:
    """How the base may be used.

    allowed: False refuses walking. ahead: a target is at most so far from the base [m], and
    ahead_angle [rad]: the robot's walk has its own speed, this bounds how far it can run.
    workspace: half the side of the square around the odometry's origin that targets stay in [m].
    period: between pose commands [s]. release: `move` must be low for so long [s].
    still_speed [m/s], still_turn [rad/s], still_time [s]: what counts as standing.
    """

    allowed: bool = True
    ahead: float = 1.0
    ahead_angle: float = 1.0
    workspace: float = 5.0
    period: float = 0.1
    release: float = 0.2
    still_speed: float = 0.02
    still_turn: float = 0.05
    still_time: float = 0.5


class Phase(Enum):
    """Who has the robot: arms in STANCE, base in WALKING, nobody between."""

    STANCE = "stance"
    BRAKING_ARMS = "braking arms"
    WALKING = "walking"
    SETTLING = "settling"


class BaseHandover:
    """Decides whether arms or base may move, and the base's command.

    Attributes:
        phase: now.
    """

    def __init__(self, settings: BaseSettings) -> None:
        self.phase = Phase.STANCE
        self._settings = settings
        self._low_since: float | None = None
        self._still_since: float | None = None
        self._sent_at = -math.inf
        self._here: Pose | None = None

    def reset(self) -> None:
        """The arms have the robot again (after a silence: whoever enables looks at the base)."""
        self.phase = Phase.STANCE

    @property
    def arms_silent(self) -> bool:
        """True while arm commands would be refused."""
        return self.phase in (Phase.WALKING, Phase.SETTLING)

    @property
    def arms_hold(self) -> bool:
        """True while the arms must not follow the plan."""
        return self.phase is not Phase.STANCE

    def update(
        self, now: float, wanted: Base | None, odom: Odometry | None, arms_moving: bool
    ) -> Pose | None:
        """One tick.

        Args:
            now: [s]
            wanted: what the plan says; None stops the base (no plan, hold, pause, fault).
            odom: None when it is not there or stale.
            arms_moving: does the arms' stream move?

        Returns:
            The pose to send now, if any.
        """
        if odom is not None:
            self._here = odom.pose
        walk = wanted is not None and wanted.move > MOVE_THRESHOLD and self._settings.allowed
        if self.phase is Phase.STANCE and walk and odom is not None:
            self.phase = Phase.BRAKING_ARMS
        if self.phase is Phase.BRAKING_ARMS:
            if not walk:
                self.phase = Phase.STANCE
            elif not arms_moving:
                self._begin_walking(now)
        if self.phase is Phase.WALKING:
            return self._walk(now, wanted if walk else None, wanted is None, odom)
        if self.phase is Phase.SETTLING and self._stands(now, odom):
            self.phase = Phase.STANCE
        return None

    def _begin_walking(self, now: float) -> None:
        self.phase = Phase.WALKING
        # the first pose waits a period: the arms' last command must be there before it
        self._low_since, self._sent_at = None, now

    def _walk(
        self, now: float, wanted: Base | None, stop: bool, odom: Odometry | None
    ) -> Pose | None:
        if stop or odom is None:
            self._settle()
            return self._here  # without odometry, the last place that is known
        if wanted is None:
            self._low_since = now if self._low_since is None else self._low_since
            if now - self._low_since >= self._settings.release:
                self._settle()
            return None
        self._low_since = None
        if now - self._sent_at < self._settings.period - 1e-6:
            return None
        self._sent_at = now
        return self._bounded(wanted, odom.pose)

    def _settle(self) -> None:
        self.phase, self._still_since = Phase.SETTLING, None

    def _bounded(self, wanted: Base, here: Pose) -> Pose:
        bound = self._settings
        x = min(max(wanted.x, -bound.workspace), bound.workspace) - here[0]
        y = min(max(wanted.y, -bound.workspace), bound.workspace) - here[1]
        scale = min(1.0, bound.ahead / max(math.hypot(x, y), 1e-9))
        turn = wrap_angle(wanted.yaw - here[2])
        turn = min(max(turn, -bound.ahead_angle), bound.ahead_angle)
        return here[0] + scale * x, here[1] + scale * y, here[2] + turn

    def _stands(self, now: float, odom: Odometry | None) -> bool:
        bound = self._settings
        if odom is None or odom.speed > bound.still_speed or abs(odom.turn_rate) > bound.still_turn:
            self._still_since = None
            return False
        self._still_since = now if self._still_since is None else self._still_since
        return now - self._still_since >= bound.still_time
