"""Plans on their way in: checked, of the instruction in force, newer than those before."""

from __future__ import annotations

import numpy as np

from kuavo_deploy.executor.epochs import Announcement, Epochs
from kuavo_deploy.executor.figures import ExecutorFigures
from kuavo_deploy.executor.reference import PlanQueue, Point
from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.robot import layout
from kuavo_deploy.robot.layout import Base
from kuavo_deploy.safety.checks import (
    PlanRefused,
    RawPlan,
    check_plan,
    check_reach,
    check_timing,
)
from kuavo_deploy.safety.limits import SoftLimits
from kuavo_deploy.safety.states import State

_SETTLE = 0.3
"""A plan's last action is still followed for so long after it was due [s]."""
_TAKEN_IN = (State.READY, State.RUN, State.HOLD)


class Plans:
    """Takes plans in and says what they want of the robot.

    Args:
        settings: see there. figures: count what happens to the plans.

    Attributes:
        epochs: which instruction is in force.
    """

    def __init__(self, settings: ExecutorSettings, figures: ExecutorFigures) -> None:
        self.epochs = Epochs()
        self._settings, self._figures = settings, figures
        self._queue = PlanQueue(settings.blend)
        self._newest_stamp = 0.0

    def announce(self, announcement: Announcement) -> bool:
        """Another instruction: what was planned before is gone. False: it is the same again.

        Raises:
            EpochError: malformed or overtaken; nothing has changed.
        """
        if not self.epochs.announce(announcement):
            return False
        self.forget()
        return True

    def clear(self) -> None:
        """Drop every plan; none from before is taken in any more."""
        self._queue.clear()

    def forget(self) -> None:
        """Drop every plan, and how new the newest was (a switch; the clock was set back)."""
        self._queue.clear()
        self._newest_stamp = 0.0

    def take(
        self, raw: RawPlan, now: float, state: State, soft: SoftLimits,
        standing: np.ndarray | None,
    ) -> None:  # fmt: skip
        """Let a plan take over.

        Args:
            raw: as it came in.
            now: [s]
            state: of the executor.
            soft: the arms' limits.
            standing: shape (16,), what the robot is told now; None when nothing is known.

        Raises:
            PlanRefused: it is counted, and nothing has changed.
        """
        try:
            self._add(raw, now, state, soft, standing)
        except PlanRefused as refusal:
            counts = self._figures.late if refusal.late else self._figures.refused
            counts[_kind(refusal)] += 1
            raise

    def _add(
        self, raw: RawPlan, now: float, state: State, soft: SoftLimits,
        standing: np.ndarray | None,
    ) -> None:  # fmt: skip
        settings = self._settings
        plan = check_plan(raw)
        check_reach(plan, soft, settings.reach_tolerance)
        if not self.epochs.is_current(plan.epoch):
            raise PlanRefused("a plan is of another instruction", late=True)
        if state not in _TAKEN_IN:
            raise PlanRefused(f"a plan came while {state.value}", late=True)
        check_timing(plan, now, settings.plan_max_age, self._newest_stamp, settings.clock_ahead)
        if standing is None or now >= plan.end:
            raise PlanRefused("a plan came too late or too early to be used", late=True)
        running = self._queue.newest
        self._newest_stamp = plan.stamp
        self._queue.add(plan, now, standing)
        self._figures.took(now - plan.stamp, None if running is None else running.end - now)

    def lacking(self, now: float) -> str | None:
        """Why there is no plan to be executed now; None when there is one."""
        plan = self._queue.newest
        if plan is None:
            return "no plan"
        if now > plan.end + _SETTLE:
            return "the plan ran out"
        if now - plan.stamp > self._settings.plan_max_age:
            return "the plan is %.2f s old" % (now - plan.stamp)
        return None

    def walks(self, now: float) -> bool:
        """Does the newest plan want the base to move now?"""
        wanted = self._queue.base_at(now)
        return wanted is not None and wanted.move > layout.MOVE_THRESHOLD

    def at(self, due: float) -> tuple[Point | None, Base | None]:
        """What the plans want at a time: arms and hands, and the base."""
        return self._queue.at(due), self._queue.base_at(due)

    def age(self, now: float) -> float | None:
        """Of the observation behind the newest plan [s]."""
        return None if self._queue.newest is None else now - self._queue.newest.stamp

    @property
    def epoch(self) -> str | None:
        """Of the newest plan."""
        return None if self._queue.newest is None else self._queue.newest.epoch


def _kind(refusal: PlanRefused) -> str:
    return str(refusal).split(":")[0].split(",")[0] if refusal.late else str(refusal)
