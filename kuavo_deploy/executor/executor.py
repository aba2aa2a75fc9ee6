"""The executor: everything between action chunks and the robot's commands, one tick at a time.

    executor = Executor(settings, limits, clock)
    executor.on_joints(…); executor.on_announcement(…); executor.enable(); executor.on_plan(…)
    commands = executor.tick()        # at settings.rate: what to publish now

Not thread-safe: whoever wires it lets one call in at a time.
"""

from __future__ import annotations

from typing import Callable, Mapping, NamedTuple, Sequence

import numpy as np

from kuavo_deploy.executor.base import BaseHandover, Odometry, Pose
from kuavo_deploy.executor.epochs import Announcement, Epochs
from kuavo_deploy.executor.figures import ExecutorFigures
from kuavo_deploy.executor.hands import HandStream
from kuavo_deploy.executor.inputs import RobotInputs
from kuavo_deploy.executor.reference import PlanQueue, Point
from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.version import RobotLimits
from kuavo_deploy.safety.checks import (
    PlanRefused,
    RawPlan,
    check_plan,
    check_reach,
    check_timing,
)
from kuavo_deploy.safety.states import SILENT, Answer, State, Supervisor
from kuavo_deploy.safety.stream import ArmStream, Target
from kuavo_deploy.safety.tracking import TrackingMonitor

_SETTLE = 0.3
"""A plan's last action is still followed for so long after it was due [s]."""


class Commands(NamedTuple):
    """What to publish now; None: nothing on that topic.

    arms: shape (14,) [rad]. hands: closures, shape (2,). base: x, y [m], yaw [rad] in odom.
    """

    arms: np.ndarray | None = None
    hands: np.ndarray | None = None
    base: Pose | None = None


class Executor:
    """See the module.

    Args:
        settings: see there. limits: of the robot. clock: now [s], the clock of the stamps.
        hands_topic: named in reasons.
        start_postures: arms, shape (14,) [rad], by task; a task without one starts where it is.
        shadow: commands are computed but nobody follows them, so nothing is compared with them.
        on_change: called with (old state, new state, reason) after every change.
    """

    def __init__(
        self,
        settings: ExecutorSettings,
        limits: RobotLimits,
        clock: Callable[[], float],
        hands_topic: str = topics.CLAW_STATE,
        start_postures: Mapping[str, np.ndarray] | None = None,
        shadow: bool = False,
        on_change: Callable[[State, State, str], None] | None = None,
    ) -> None:
        self.settings = settings
        self.figures = ExecutorFigures(settings.period)
        self.supervisor = Supervisor(settings.hold_limit, settings.ready_limit, self._changed)
        self.inputs = RobotInputs(settings, hands_topic)
        self.epochs = Epochs()
        self.base = BaseHandover(settings.base)
        self.stream = ArmStream(limits, settings.margin, settings.period, settings.speed)
        self._hands = HandStream(settings.hand_speed, settings.period)
        self._queue = PlanQueue(settings.blend)
        self._tracking = TrackingMonitor(settings.tracking_error, settings.tracking_time)
        self._clock, self._shadow, self._on_change = clock, shadow, on_change
        self._postures: dict[str, np.ndarray] = dict(start_postures or {})
        self._goal: np.ndarray | None = None
        self._foreign: dict[str, list[str]] = {}
        self._newest_stamp = 0.0
        self._renewed_at: float | None = None
        self._ticked_at: float | None = None
        self.executing: str | None = None
        """Epoch of the plan behind the last commands; None when they follow no plan."""

    def _changed(self, old: State, new: State, reason: str) -> None:
        if new is not State.RUN:
            # whatever interrupts, what was planned before it is not taken up again after it
            self._queue.clear()
        if self._on_change is not None:
            self._on_change(old, new, reason)

    # what comes in

    def on_joints(self, position: Sequence[float], velocity: Sequence[float], stamp: float) -> None:
        """`/sensors_data_raw`: 28 joints [rad], [rad/s]."""
        now = self._clock()
        try:
            self.inputs.joints(position, velocity, stamp, now)
        except ValueError as error:
            self.supervisor.fault(now, str(error))

    def on_hands(self, closures: np.ndarray, stamp: float) -> None:
        """Measured closures, shape (2,)."""
        self.inputs.hand_closures(closures, stamp, self._clock())

    def on_odometry(self, odometry: Odometry, stamp: float) -> None:
        """Measured base."""
        self.inputs.base(odometry, stamp, self._clock())

    def on_publishers(self, topic: str, foreign: list[str]) -> None:
        """Who else publishes on a command topic; anybody is a fault."""
        self._foreign[topic] = foreign
        if foreign:
            self.supervisor.fault(self._clock(), self._intruders(topic))

    def on_deadman(self) -> None:
        """The operator renews the enable."""
        self._renewed_at = self._clock()

    def on_announcement(self, announcement: Announcement) -> str:
        """An instruction is in force from now on: drop what was planned for another.

        Returns:
            What to acknowledge.

        Raises:
            EpochError: malformed or overtaken; nothing has changed.
        """
        if self.epochs.announce(announcement):
            self._queue.clear()
            self._newest_stamp = 0.0
            self.supervisor.wait(self._clock(), "new instruction, waiting for its first plan")
        return announcement.label

    def on_plan(self, raw: RawPlan) -> str | None:
        """An action chunk. Returns why it was refused, or None."""
        now = self._clock()
        try:
            if len(raw.positions) == 0:
                self._stop_on_request(raw, now)
            else:
                self._take(raw, now)
        except PlanRefused as refusal:
            counts = self.figures.late if refusal.late else self.figures.refused
            counts[_kind(refusal)] += 1
            if not refusal.late:
                self.supervisor.fault(now, str(refusal))
            return str(refusal)
        return None

    def _take(self, raw: RawPlan, now: float) -> None:
        plan = check_plan(raw)
        check_reach(plan, self.stream.soft, self.settings.reach_tolerance)
        if not self.epochs.is_current(plan.epoch):
            raise PlanRefused("a plan is of another instruction", late=True)
        if self.supervisor.state not in (State.READY, State.RUN, State.HOLD):
            raise PlanRefused(f"a plan came while {self.supervisor.state.value}", late=True)
        check_timing(
            plan, now, self.settings.plan_max_age, self._newest_stamp, self.settings.clock_ahead
        )
        standing = self._standing()
        if standing is None or now >= plan.end:
            raise PlanRefused("a plan came too late or too early to be used", late=True)
        running = self._queue.newest
        self._newest_stamp = plan.stamp
        self._queue.add(plan, now, standing)
        self.figures.took(now - plan.stamp, None if running is None else running.end - now)

    def _stop_on_request(self, raw: RawPlan, now: float) -> None:
        """An empty plan: the policy says that it has none, e.g. a camera is gone."""
        if self.epochs.is_current(raw.epoch):
            self.supervisor.hold(now, "the policy stopped")

    def _standing(self) -> np.ndarray | None:
        arms = self.inputs.arms if self.stream.position is None else self.stream.position
        hands = self.inputs.hands if self._hands.closure is None else self._hands.closure
        if arms is None:
            return None
        return layout.join(arms, np.zeros(2) if hands is None else hands)

    # the operator

    def use_limits(self, limits: RobotLimits) -> None:
        """Other limits from the next enable on (the robot's URDF may come late).

        Raises:
            RuntimeError: a stream runs.
        """
        if self.stream.moving or self.supervisor.state not in SILENT:
            raise RuntimeError("the limits cannot change while the arms are commanded")
        settings = self.settings
        self.stream = ArmStream(limits, settings.margin, settings.period, settings.speed)

    def enable(self, move_to_start: bool = False) -> Answer:
        """Take the arms over, after every check; optionally go to the task's start posture."""
        now = self._clock()
        self._goal = self._start_posture() if move_to_start else None
        answer = self.supervisor.enable(now, self._goal is not None, self.problems())
        if answer[0]:
            self._fall_silent()
            self.base.reset()
        return answer

    def disable(self, reason: str = "disabled by the operator") -> Answer:
        """Stop."""
        return self.supervisor.disable(self._clock(), reason)

    def pause(self, who: str = "the operator") -> Answer:
        """Stop until `who` resumes."""
        return self.supervisor.pause(self._clock(), who)

    def resume(self, who: str = "the operator") -> Answer:
        """Go on, unless somebody else has paused."""
        return self.supervisor.resume(self._clock(), who)

    def reset_fault(self) -> Answer:
        """Leave FAULT for DISABLED."""
        return self.supervisor.reset(self._clock())

    def why_not(self) -> str | None:
        """What `enable` would answer now, if it would refuse."""
        return self.supervisor.refusal(self.problems())

    def problems(self) -> list[str]:
        """Why the arms may not be taken over now."""
        now = self._clock()
        problems = self.inputs.problems_to_start(
            now, self.settings.still, self.settings.base.allowed
        )
        problems += [self._intruders(topic) for topic, names in self._foreign.items() if names]
        if self._deadman_expired(now):
            problems.append("the deadman is not held")
        if self.stream.moving:
            problems.append("the arms are still being stopped")
        arms = self.inputs.arms
        if arms is not None and self.stream.soft.excess(arms) > self.settings.reach_tolerance:
            problems.append("the arms are far outside their limits: another robot version?")
        return problems

    def _intruders(self, topic: str) -> str:
        return "{} is also published by {}".format(topic, ", ".join(sorted(self._foreign[topic])))

    def _start_posture(self) -> np.ndarray | None:
        current = self.epochs.current
        return None if current is None else self._postures.get(current.task)

    def _deadman_expired(self, now: float) -> bool:
        limit = self.settings.deadman
        return limit > 0 and (self._renewed_at is None or now - self._renewed_at > limit)

    # one tick

    def tick(self) -> Commands:
        """What to publish now. Any exception faults and falls silent."""
        now = self._clock()
        try:
            self._watch_clock(now)
            self._watch(now)
            return self._move(now)
        except Exception as error:  # whatever it is, the robot must not follow it
            self._fall_silent()
            self.supervisor.fault(now, f"internal error: {error!r}")
            return Commands()

    def _watch_clock(self, now: float) -> None:
        last, self._ticked_at = self._ticked_at, now
        if last is None:
            return
        if now < last:
            self.inputs.forget_stamps()
            self._queue.clear()
            self._newest_stamp = 0.0
            self.supervisor.hold(now, "the clock was set back by %.3f s" % (last - now))
        if abs(now - last) > self.settings.gap:
            # the robot stood meanwhile: begin again from where it is
            self._fall_silent()

    def _watch(self, now: float) -> None:
        self.supervisor.expire(now)
        if self._deadman_expired(now) and self.supervisor.state is not State.DISABLED:
            self.supervisor.disable(now, "the deadman was let go")
        if not self._shadow:
            stray = self._tracking.check(self.stream.position, self.inputs.arms, now)
            if stray:
                self.supervisor.fault(now, stray)
        missing = self._missing(now)
        if missing:
            self._queue.clear()
            self.supervisor.hold(now, missing)
            return
        self.supervisor.clear(now)
        lacking = self._lacking_plan(now)
        if lacking is None:
            self.supervisor.run(now)
        elif self.supervisor.state is State.RUN:
            self.supervisor.hold(now, lacking)

    def _missing(self, now: float) -> str | None:
        wanted = self._queue.base_at(now)
        walks = wanted is not None and wanted.move > layout.MOVE_THRESHOLD
        problem = self.inputs.joints_fresh.problem(now)
        if problem is None and (walks or self.base.arms_silent) and self.settings.base.allowed:
            problem = self.inputs.odom_fresh.problem(now)
        return problem

    def _lacking_plan(self, now: float) -> str | None:
        plan = self._queue.newest
        if plan is None:
            return "no plan"
        if now > plan.end + _SETTLE:
            return "the plan ran out"
        if now - plan.stamp > self.settings.plan_max_age:
            return "the plan is %.2f s old" % (now - plan.stamp)
        return None

    def _move(self, now: float) -> Commands:
        state = self.supervisor.state
        # where the robot should be when the next command replaces this one
        due = now + self.settings.period
        point = self._queue.at(due) if state is State.RUN else None
        wanted = self._queue.base_at(due) if state is State.RUN else None
        self.executing = None if point is None or self._queue.newest is None else (
            self._queue.newest.epoch)
        base = self.base.update(now, wanted, self.inputs.fresh_odometry(now), self.stream.moving)
        if self.base.arms_silent:
            self.stream.stop()
            return Commands(None, self._hand_command(None, state), base)
        arms = self._arm_command(None if self.base.arms_hold else point, state, now)
        return Commands(arms, self._hand_command(point, state), base)

    def _arm_command(
        self, point: Point | None, state: State, now: float
    ) -> np.ndarray | None:
        if self.stream.position is None:
            return self._first_arm_command(state, now)
        if state in SILENT and not self.stream.moving:
            self._fall_silent()
            return None
        if state is State.MOVE_TO_START and self._goal is not None:
            return self._towards_start(self._goal, now)
        if point is None:
            return self.stream.brake()
        parts = [layout.split(row).arms for row in point]
        return self.stream.follow(Target(*parts))

    def _first_arm_command(self, state: State, now: float) -> np.ndarray | None:
        arms = self.inputs.arms
        if state in SILENT or arms is None or self.inputs.joints_fresh.problem(now):
            return None
        self._tracking.restart()
        return self.stream.start(arms)

    def _towards_start(self, goal: np.ndarray, now: float) -> np.ndarray:
        still = np.zeros(len(goal))
        arms = self.stream.follow(Target(goal, still, still), self.settings.start_speed)
        distance = np.abs(arms - self.stream.soft.clip(goal)).max()
        if distance < self.settings.start_tolerance and not self.stream.moving:
            self.supervisor.at_start(now)
        return arms

    def _hand_command(self, point: Point | None, state: State) -> np.ndarray | None:
        if state in SILENT:
            self._hands.stop()
            return None
        if self._hands.closure is None and self.inputs.hands is not None:
            self._hands.start(self.inputs.hands)
        return self._hands.follow(None if point is None else layout.split(point.action).hands)

    def _fall_silent(self) -> None:
        self.stream.stop()
        self._hands.stop()


def _kind(refusal: PlanRefused) -> str:
    return str(refusal).split(":")[0].split(",")[0] if refusal.late else str(refusal)
