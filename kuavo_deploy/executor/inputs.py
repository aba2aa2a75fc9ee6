"""What the executor knows of the robot: the newest trusted measurement of each kind."""

from __future__ import annotations

import math
from typing import Sequence

import numpy as np

from kuavo_deploy.executor.base import Odometry
from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.robot import layout, topics
from kuavo_deploy.safety.watchdog import Freshness


class RobotInputs:
    """Measurements with their ages.

    Attributes:
        arms: shape (14,) [rad]. arm_velocity: shape (14,) [rad/s]. hands: shape (2,), 0…1.
        odometry: of the base. Each is None before the first good message.
    """

    def __init__(self, settings: ExecutorSettings, hands_topic: str) -> None:
        ahead = settings.clock_ahead
        self.joints_fresh = Freshness(topics.SENSORS, settings.joints_max_age, ahead)
        self.hands_fresh = Freshness(hands_topic, settings.hands_max_age, ahead)
        self.odom_fresh = Freshness(topics.ODOM, settings.odom_max_age, ahead)
        self.arms: np.ndarray | None = None
        self.arm_velocity = np.zeros(14)
        self.hands: np.ndarray | None = None
        self.odometry: Odometry | None = None

    def joints(
        self, position: Sequence[float], velocity: Sequence[float], stamp: float, now: float
    ) -> None:
        """The 28 joints of `/sensors_data_raw` [rad], [rad/s].

        Raises:
            ValueError: another count, or a number is not finite.
        """
        arms = layout.arms_from_sensor_joints(np.asarray(position, dtype=np.float64))
        if not np.isfinite(arms).all():
            raise ValueError(f"{topics.SENSORS}: arm positions are not finite: {arms}")
        if self.joints_fresh.saw(stamp, now):
            self.arms = arms
            if len(velocity) == layout.SENSOR_JOINT_COUNT:
                rates = np.asarray(velocity[layout.SENSOR_ARMS], dtype=np.float64)
                self.arm_velocity = np.where(np.isfinite(rates), rates, np.inf)

    def hand_closures(self, closures: np.ndarray, stamp: float, now: float) -> None:
        """Measured closures, shape (2,)."""
        if np.isfinite(closures).all() and self.hands_fresh.saw(stamp, now):
            self.hands = closures

    def base(self, odometry: Odometry, stamp: float, now: float) -> None:
        """Measured base."""
        numbers = (*odometry.pose, odometry.speed, odometry.turn_rate)
        if all(math.isfinite(v) for v in numbers) and self.odom_fresh.saw(stamp, now):
            self.odometry = odometry

    def fresh_odometry(self, now: float) -> Odometry | None:
        """The base, unless it is stale."""
        return None if self.odom_fresh.problem(now) else self.odometry

    def forget_stamps(self) -> None:
        """The clock was set back: nothing is known to be fresh."""
        for source in (self.joints_fresh, self.hands_fresh, self.odom_fresh):
            source.forget()

    def problems_to_start(self, now: float, still: float, base: bool) -> list[str]:
        """Why the arms may not be taken over now.

        Args:
            now: [s]
            still: the arms may move at most so fast [rad/s].
            base: does the base count?
        """
        problems = [self.joints_fresh.problem(now)]
        if np.abs(self.arm_velocity).max() > still:
            problems.append("the arms move")
        odometry = self.fresh_odometry(now)
        if base and odometry is not None and odometry.speed > 0.1:
            problems.append("the base moves")
        return [problem for problem in problems if problem]
