"""The executor: everything between action chunks and the robot's commands, one tick at a time.

    executor = Executor(settings, limits, clock)
    executor.on_joints(…); executor.on_announcement(…); executor.enable(); executor.on_plan(…)
    commands = executor.tick()        # at settings.rate: what to publish now

`inputs` knows the robot, `plans` what is wanted of it, `supervisor` whether it may move, `motion`
moves it. Not thread-safe: whoever wires it lets one call in at a time.
"""

from __future__ import annotations

from typing import Callable, Mapping, Sequence

import numpy as np

from kuavo_deploy.executor.base import BaseHandover, Odometry
from kuavo_deploy.executor.epochs import Announcement, Epochs
from kuavo_deploy.executor.figures import ExecutorFigures
from kuavo_deploy.executor.inputs import RobotInputs
from kuavo_deploy.executor.motion import Commands, Moment, Motion
from kuavo_deploy.executor.plans import Plans
from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.robot import topics
from kuavo_deploy.robot.version import RobotLimits
from kuavo_deploy.safety import health
from kuavo_deploy.safety.checks import PlanRefused, RawPlan
from kuavo_deploy.safety.deadman import Deadman
from kuavo_deploy.safety.health import Finding
from kuavo_deploy.safety.intruders import Intruders
from kuavo_deploy.safety.states import SILENT, Answer, State, Supervisor
from kuavo_deploy.safety.stream import ArmStream
from kuavo_deploy.safety.tracking import TrackingMonitor

MAX_REASON = 200
"""Characters of somebody else's reason."""
_NO_TIME = 1e-4
"""Ticks closer than this are one [s] (the simulation's clock goes on in steps)."""


class Executor:
    """See the module.

    Args:
        settings: see there. limits: of the robot. clock: now [s], the clock of the stamps.
        hands_topic: named in reasons.
        start_postures: arms, shape (14,) [rad], by task, where the policy does not tell; a task
            without one starts where it is.
        shadow: commands are computed but nobody follows them, so it waits for nobody.
        on_change: called with (old state, new state, reason) after every change.

    Attributes:
        executing: epoch of the plan behind the last commands; None when they follow no plan.
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
        self.executing: str | None = None
        self._plans = Plans(settings, self.figures)
        self._motion = Motion(settings, limits, shadow)
        self._tracking = TrackingMonitor(settings.tracking_error, settings.tracking_time)
        self._deadman = Deadman(settings.deadman)
        self._intruders = Intruders()
        self._clock, self._shadow, self._on_change = clock, shadow, on_change
        self._postures: dict[str, np.ndarray] = dict(start_postures or {})
        self._goal: np.ndarray | None = None
        self._ticked_at: float | None = None

    @property
    def epochs(self) -> Epochs:
        """Which instruction is in force."""
        return self._plans.epochs

    @property
    def stream(self) -> ArmStream:
        """Of the arms."""
        return self._motion.stream

    @property
    def base(self) -> BaseHandover:
        """Who has the robot: arms or base."""
        return self._motion.base

    def _changed(self, old: State, new: State, reason: str) -> None:
        if new is not State.RUN:
            # whatever interrupts, what was planned before it is not taken up again after it
            self._plans.clear()
        if self._on_change is not None:
            self._on_change(old, new, reason)

    def now(self) -> float:
        """The time of its clock [s]."""
        return self._clock()

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
        problem = self._intruders.seen(topic, foreign)
        if problem is not None:
            self.supervisor.fault(self._clock(), problem)

    def on_deadman(self) -> None:
        """The operator renews the enable."""
        self._deadman.renew(self._clock())

    def on_announcement(self, announcement: Announcement) -> str:
        """An instruction is in force from now on: drop what was planned for another.

        Returns:
            What to acknowledge.

        Raises:
            EpochError: malformed or overtaken; nothing has changed.
        """
        if self._plans.announce(announcement):
            self._goal = self._start_posture()
            self.supervisor.wait(self._clock(), "new instruction, waiting for its first plan")
        return announcement.label

    def on_plan(self, raw: RawPlan) -> str | None:
        """An action chunk. Returns why it was refused, or None."""
        now = self._clock()
        if len(raw.positions) == 0:
            self._stop_on_request(raw, now)
            return None
        try:
            self._plans.take(
                raw, now, self.supervisor.state, self.stream.soft,
                self._motion.standing(self.inputs),
            )  # fmt: skip
        except PlanRefused as refusal:
            if not refusal.late:
                self.supervisor.fault(now, str(refusal))
            return str(refusal)
        return None

    def _stop_on_request(self, raw: RawPlan, now: float) -> None:
        """An empty plan: the policy says that it has none, e.g. a camera is gone; names say why."""
        # moving to the start needs no policy
        if self.epochs.is_current(raw.epoch) and self.supervisor.state is not State.MOVE_TO_START:
            why = " ".join("".join(map(str, raw.names))[:MAX_REASON].split())
            self.supervisor.hold(now, f"the policy stopped: {why or 'it does not say why'}")

    # the operator

    def use_limits(self, limits: RobotLimits) -> None:
        """Other limits from the next enable on (the robot's URDF may come late).

        Raises:
            RuntimeError: a stream runs.
        """
        if self.stream.moving or self.supervisor.state not in SILENT:
            raise RuntimeError("the limits cannot change while the arms are commanded")
        self._motion.use_limits(limits)

    def enable(self, move_to_start: bool = False) -> Answer:
        """Take the arms over, after every check; optionally go to the task's start posture."""
        now = self._clock()
        goal = self._start_posture() if move_to_start else None
        answer = self.supervisor.enable(now, goal is not None, self.problems())
        if answer[0]:
            self._goal = goal
            self._motion.begin()
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
        problems += self._intruders.problems()
        if self._deadman.expired(now):
            problems.append("the deadman is not held")
        if self.stream.moving:
            problems.append("the arms are still being stopped")
        arms = self.inputs.arms
        if arms is not None and self.stream.soft.excess(arms) > self.settings.reach_tolerance:
            problems.append("the arms are far outside their limits: another robot version?")
        return problems

    def _start_posture(self) -> np.ndarray | None:
        current = self.epochs.current
        if current is None:
            return None
        start = np.array(current.start)
        # what a checkpoint says of its training data counts, unless it is of another robot
        if len(start) and self.stream.soft.excess(start) <= self.settings.reach_tolerance:
            return start
        return self._postures.get(current.task)

    def health(self) -> Finding:
        """State, rate, ages of the joints and of the plan in force."""
        now, settings = self._clock(), self.settings
        findings = [
            health.state(self.supervisor.state, self.supervisor.reason),
            health.rate(self.figures.rate, settings.rate),
            health.age(topics.SENSORS, self.inputs.joints_fresh.age(now), settings.joints_max_age),
        ]
        if self.supervisor.state is State.RUN:
            findings.append(health.age("the plan", self._plans.age(now), settings.plan_max_age))
        return health.together(findings)

    # one tick

    def tick(self) -> Commands:
        """What to publish now. Any exception faults and falls silent.

        It may be called at any rhythm: the streams go on by the time that has passed.
        """
        now = self._clock()
        if self._ticked_at is not None and 0 <= now - self._ticked_at < _NO_TIME:
            return Commands(now)
        self.figures.ticked(now)
        try:
            elapsed = self._watch_clock(now)
            self._watch(now)
            return self._move(now, elapsed)
        except Exception as error:  # whatever it is, the robot must not follow it
            self._motion.fall_silent()
            self.supervisor.fault(now, f"internal error: {error!r}")
            return Commands(now)

    def _watch_clock(self, now: float) -> float:
        last, self._ticked_at = self._ticked_at, now
        if last is None:
            return self.settings.period
        if now < last:
            self.inputs.forget_stamps()
            self._plans.forget()
            self.supervisor.hold(now, "the clock was set back by %.3f s" % (last - now))
        if abs(now - last) > self.settings.gap:
            # the robot stood meanwhile: begin again from where it is
            self._motion.fall_silent()
        return now - last if last < now else self.settings.period

    def _watch(self, now: float) -> None:
        self.supervisor.expire(now)
        if self._deadman.expired(now) and self.supervisor.state is not State.DISABLED:
            self.supervisor.disable(now, "the deadman was let go")
        if not self._shadow:
            stray = self._tracking.check(self.stream.position, self.inputs.arms, now)
            if stray:
                self.supervisor.fault(now, stray)
        missing = self._missing(now)
        if missing:
            self._plans.clear()
            self.supervisor.hold(now, missing, seen=True)
            return
        self.supervisor.clear(now)
        lacking = self._plans.lacking(now)
        if lacking is None:
            self.supervisor.run(now)
        elif self.supervisor.state is State.RUN:
            self.supervisor.hold(now, lacking)

    def _missing(self, now: float) -> str | None:
        problem = self.inputs.joints_fresh.problem(now)
        walking = self._plans.walks(now) or self.base.arms_silent
        if problem is None and walking and self.settings.base.allowed:
            problem = self.inputs.odom_fresh.problem(now)
        return problem

    def _move(self, now: float, elapsed: float) -> Commands:
        state = self.supervisor.state
        point, wanted = None, None
        if state is State.RUN:
            # where the robot should be when the next command replaces this one
            point, wanted = self._plans.at(now + self.settings.period)
        self.executing = None if point is None else self._plans.epoch
        commands = self._motion.step(
            Moment(now, elapsed, state), point, wanted, self._goal, self.inputs
        )
        if state is State.MOVE_TO_START and self._motion.is_at(self._goal):
            self.supervisor.at_start(now)
        return commands
