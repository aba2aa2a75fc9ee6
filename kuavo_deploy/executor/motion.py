"""The streams of arms, hands and base: from what is wanted to what is sent, one tick at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kuavo_deploy.executor.base import BaseHandover, Pose
from kuavo_deploy.executor.hands import HandStream
from kuavo_deploy.executor.inputs import RobotInputs
from kuavo_deploy.executor.reference import Point
from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.robot import layout
from kuavo_deploy.robot.layout import Base
from kuavo_deploy.robot.version import RobotLimits
from kuavo_deploy.safety.feedback import Sample
from kuavo_deploy.safety.lead import within_lead
from kuavo_deploy.safety.states import SILENT, State
from kuavo_deploy.safety.stream import ArmStream


class Commands(NamedTuple):
    """What to publish now; None: nothing on that topic.

    stamp: of the tick [s]. arms: shape (14,) [rad]. hands: closures, shape (2,).
    base: x, y [m], yaw [rad] in odom.
    """

    stamp: float
    arms: np.ndarray | None = None
    hands: np.ndarray | None = None
    base: Pose | None = None


class Moment(NamedTuple):
    """Of a tick. now: [s]. elapsed: since the last one [s]. state: of the executor."""

    now: float
    elapsed: float
    state: State


class Motion:
    """Runs the streams.

    Args:
        settings: see there. limits: of the robot.
        shadow: nobody follows, so the arms are not waited for.

    Attributes:
        stream: of the arms. base: who has the robot, arms or base.
    """

    def __init__(
        self, settings: ExecutorSettings, limits: RobotLimits, shadow: bool = False
    ) -> None:
        self.base = BaseHandover(settings.base)
        self._settings, self._shadow = settings, shadow
        self._hands = HandStream(settings.hand_speed)
        self._sent_at = -math.inf
        self.use_limits(limits)

    def use_limits(self, limits: RobotLimits) -> None:
        """Other limits; only while nothing moves."""
        self.stream = ArmStream(limits, self._settings.margin, self._settings.speed)

    def fall_silent(self) -> None:
        """The next command begins where the robot is."""
        self.stream.stop()
        self._hands.stop()

    def begin(self) -> None:
        """The robot was enabled."""
        self.fall_silent()
        self.base.reset()

    def standing(self, inputs: RobotInputs) -> np.ndarray | None:
        """Where the robot is told to be, else where it is, shape (16,); None when unknown."""
        arms = inputs.arms if self.stream.position is None else self.stream.position
        hands = inputs.hands if self._hands.closure is None else self._hands.closure
        if arms is None:
            return None
        return layout.join(arms, np.zeros(2) if hands is None else hands)

    def step(
        self, moment: Moment, point: Point | None, wanted: Base | None, goal: np.ndarray | None,
        inputs: RobotInputs,
    ) -> Commands:  # fmt: skip
        """One tick.

        Args:
            moment: see there.
            point: what the plans want of arms and hands; None brakes.
            wanted: what they want of the base.
            goal: start posture of the arms, shape (14,) [rad], for MOVE_TO_START.
            inputs: what is known of the robot.
        """
        odometry = inputs.fresh_odometry(moment.now)
        base = self.base.update(moment.now, wanted, odometry, self.stream.moving)
        if self.base.arms_silent:
            self.stream.stop()
            return Commands(moment.now, None, self._hand_command(None, moment, inputs), base)
        arms_point = None if self.base.arms_hold else point
        arms = self._arm_command(arms_point, moment, goal, inputs)
        if arms is not None:
            self._sent_at = moment.now
        return Commands(moment.now, arms, self._hand_command(point, moment, inputs), base)

    def is_at(self, goal: np.ndarray | None) -> bool:
        """Do the commanded arms stand at a posture, shape (14,) [rad]; anywhere, if None?"""
        position = self.stream.position
        if position is None or self.stream.moving:
            return False
        if goal is None:
            return True
        distance = np.abs(position - self.stream.soft.clip(goal)).max()
        return bool(distance < self._settings.start_tolerance)

    def _arm_command(
        self, point: Point | None, moment: Moment, goal: np.ndarray | None, inputs: RobotInputs
    ) -> np.ndarray | None:
        elapsed, state = moment.elapsed, moment.state
        if self.stream.position is None:
            return self._first_arm_command(moment, inputs)
        if state in SILENT and not self.stream.moving:
            self.fall_silent()
            return None
        if state is State.MOVE_TO_START and goal is not None:
            still = np.zeros(len(goal))
            target = self._near(Sample(goal, still, still), inputs)
            return self.stream.follow(target, elapsed, self._settings.start_speed)
        if point is None:
            return self.stream.brake(elapsed)
        target = Sample(*(layout.split(row).arms for row in point))
        return self.stream.follow(self._near(target, inputs), elapsed)

    def _near(self, target: Sample, inputs: RobotInputs) -> Sample:
        if self._shadow or inputs.arms is None:
            return target
        return within_lead(target, inputs.arms, self._settings.lead)

    def _first_arm_command(self, moment: Moment, inputs: RobotInputs) -> np.ndarray | None:
        arms = inputs.arms
        # it may begin far from where the last stream ended: whoever listens sees two, not a jump
        if abs(moment.now - self._sent_at) <= self._settings.gap:
            return None
        if moment.state in SILENT or arms is None or inputs.joints_fresh.problem(moment.now):
            return None
        return self.stream.start(arms)

    def _hand_command(
        self, point: Point | None, moment: Moment, inputs: RobotInputs
    ) -> np.ndarray | None:
        if moment.state in SILENT:
            self._hands.stop()
            return None
        if self._hands.closure is None and inputs.hands is not None:
            self._hands.start(inputs.hands)
        hands = None if point is None else layout.split(point.action).hands
        return self._hands.follow(hands, moment.elapsed)
