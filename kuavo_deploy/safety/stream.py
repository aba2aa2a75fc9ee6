"""The arms' command stream: position, velocity, acceleration and jerk bounded, whatever is asked.

Samples are taken of a motion in real time: each one says how much time has passed since the last,
so a late one lies further along the same motion, and what the samples do between their times
(divided differences) stays below the bounds whatever the rhythm is.

Near its target a joint follows by linear feedback with a jerk below the limit, which is smooth.
Far from it `ruckig` plans the fastest jerk-limited motion, anew at each sample, and the stream
takes the beginning of it (alone, it would meet a moving target in a cycle of full jerks). It plans
in a frame that moves with the target, where the target rests: asked to pass a place at a speed,
it would back up for a run-up, and a joint that falls behind would move the wrong way.

Neither knows the position limits (ruckig's community edition does not enforce them), so each
sample is checked afterwards: from it, the joint must still be able to brake inside its limits.
One that could not takes the beginning of its braking motion instead. Braking from a sample
that passed the check stays inside, so by induction the stream never leaves.
"""

from __future__ import annotations

import numpy as np
from ruckig import (
    ControlInterface,
    InputParameter,
    Result,
    Ruckig,
    RuckigError,
    Synchronization,
    Trajectory,
)

from kuavo_deploy.robot.layout import ARM_DOF
from kuavo_deploy.robot.version import RobotLimits
from kuavo_deploy.safety.feedback import Sample, feedback_jerk, integrated, peak_speed
from kuavo_deploy.safety.limits import SoftLimits

ARMS = 2 * ARM_DOF
_USE = 0.98
"""Share of velocity, acceleration and jerk that is planned with, against rounding."""
_TARGET_USE = 0.9
"""Share of the velocity limit at which a moving target may be met."""
_BANDWIDTH = 20.0
"""Of the linear feedback, all three poles [rad/s]."""
_POSITION_TOLERANCE = 1e-6
_LONGEST = 0.5
"""Between two samples [s]: what is longer is another stream."""
_STILL = 1e-4
"""Below this velocity [rad/s] and acceleration [rad/s²] the stream stands."""


class ArmStream:
    """Produces samples, each some time after the last.

    Args:
        limits: of the robot.
        margin: kept to the position limits [rad].
        speed: share of the velocity and acceleration limits to use, 0 < speed ≤ 1.
    """

    def __init__(self, limits: RobotLimits, margin: float, speed: float = 1.0) -> None:
        if not 0.0 < speed <= 1.0:
            raise ValueError(f"speed must be above 0 and at most 1, got {speed!r}")
        self.soft = SoftLimits(limits, margin)
        self._velocity = limits.velocity * speed * _USE
        self._acceleration = limits.acceleration * speed * _USE
        self._jerk = limits.jerk * _USE
        self._now: Sample | None = None
        self._planner = Ruckig(ARMS)
        self._motion = Trajectory(ARMS)
        self._follow = self._input(ControlInterface.Position)
        self._brake = self._input(ControlInterface.Velocity)
        self.rescued = 0
        """Samples in which a joint had to brake for a limit, or ruckig found no motion."""

    def _input(self, interface: ControlInterface) -> InputParameter:
        values = InputParameter(ARMS)
        values.control_interface = interface
        values.synchronization = Synchronization.No
        values.max_velocity = self._velocity
        values.max_acceleration = self._acceleration
        values.max_jerk = self._jerk
        values.target_velocity = np.zeros(ARMS)
        return values

    @property
    def position(self) -> np.ndarray | None:
        """The last sample, shape (14,) [rad]; None when no stream runs."""
        return None if self._now is None else self._now.position

    @property
    def moving(self) -> bool:
        """False when the last sample stands still (or no stream runs)."""
        if self._now is None:
            return False
        fastest = max(np.abs(self._now.velocity).max(), np.abs(self._now.acceleration).max())
        return bool(fastest > _STILL)

    def start(self, measured: np.ndarray) -> np.ndarray:
        """Begin at rest at the measured positions, shape (14,) [rad]; they are the first sample."""
        measured = np.array(measured, dtype=np.float64)
        if measured.shape != (ARMS,) or not np.isfinite(measured).all():
            raise ValueError(f"a stream starts at {ARMS} finite positions, got {measured}")
        self.soft.start_at(measured)
        self._now = Sample(measured, np.zeros(ARMS), np.zeros(ARMS))
        return measured.copy()

    def stop(self) -> None:
        """Forget the stream; the next one starts with `start`."""
        self._now = None

    def close(self) -> None:
        """For good: an interpreter that ends with ruckig's objects alive complains of each."""
        self.stop()
        del self._planner, self._motion, self._follow, self._brake

    def follow(self, target: Sample, elapsed: float, slower: float = 1.0) -> np.ndarray:
        """The next sample towards a target, shape (14,) [rad].

        Args:
            target: where the arms should be by then; clipped to the limits; must be finite.
            elapsed: since the last sample [s].
            slower: share of the stream's velocity to use (moving to the start).
        """
        now = self._running(elapsed)
        top = self._velocity * slower
        target = self._attainable(target, _TARGET_USE * top)
        far = self._chasing(now, target, top, elapsed)
        jerk = feedback_jerk(now, target, elapsed, _BANDWIDTH)
        near = integrated(now, jerk, elapsed)
        settled = (
            (np.abs(jerk) <= self._jerk)
            & (peak_speed(now, jerk, elapsed) <= top)
            & self._can_level_off(near, top)
        )
        if far is None:
            return self._advance(near if settled.all() else None, elapsed)
        return self._advance(_choose(settled, near, far), elapsed)

    def _chasing(
        self, now: Sample, target: Sample, top: np.ndarray, elapsed: float
    ) -> Sample | None:
        """The beginning of the fastest way to a target that goes on as it moves now."""
        values = self._follow
        values.max_velocity = top - target.velocity
        values.min_velocity = -top - target.velocity
        # the frame moves with the target and is the robot's when the sample is due
        values.current_position = now.position + elapsed * target.velocity
        values.current_velocity = now.velocity - target.velocity
        values.current_acceleration = now.acceleration
        values.target_position = target.position
        moved = self._beginning(values, elapsed)
        return moved and moved._replace(velocity=moved.velocity + target.velocity)

    def _attainable(self, target: Sample, top: np.ndarray) -> Sample:
        # a target beyond a limit is met standing at the limit
        position = self.soft.clip(target.position)
        free = position == target.position
        bend = np.clip(target.acceleration, -self._acceleration, self._acceleration)
        return Sample(
            position,
            np.where(free, np.clip(target.velocity, -top, top), 0.0),
            np.where(free, bend, 0.0),
        )

    def _can_level_off(self, state: Sample, top: np.ndarray) -> np.ndarray:
        # the velocity that is reached while the acceleration returns to zero counts too
        acceleration = state.acceleration
        peak = state.velocity + acceleration * np.abs(acceleration) / (2 * self._jerk)
        return (np.abs(acceleration) <= self._acceleration) & (np.abs(peak) <= top)

    def brake(self, elapsed: float) -> np.ndarray:
        """The next sample on the fastest way to a stop, shape (14,) [rad].

        Args:
            elapsed: since the last sample [s].
        """
        self._running(elapsed)
        return self._advance(None, elapsed)

    def _running(self, elapsed: float) -> Sample:
        if self._now is None:
            raise RuntimeError("the stream has not been started")
        if not 0.0 < elapsed <= _LONGEST:
            raise ValueError(f"samples follow each other within {_LONGEST} s, not {elapsed!r} s")
        return self._now

    def _advance(self, wanted: Sample | None, elapsed: float) -> np.ndarray:
        if wanted is None:
            following = self._braking(elapsed)
        else:
            unsafe = ~self._can_stop_from(wanted)
            following = wanted
            if unsafe.any():
                self.rescued += 1
                following = _choose(unsafe, self._braking(elapsed), wanted)
        self._now = following
        self.soft.tighten(following.position)
        return following.position.copy()

    def _braking(self, elapsed: float) -> Sample:
        first = self._beginning(self._brake_input(self._running(elapsed)), elapsed)
        if first is None:
            # cannot happen from a finite state; a jump is still worse than an abrupt stop
            raise RuntimeError(f"ruckig finds no braking motion from {self._now}")
        return first

    def _brake_input(self, state: Sample) -> InputParameter:
        values = self._brake
        values.current_position, values.current_velocity, values.current_acceleration = state
        # ruckig counts the (otherwise unused) target position among the extrema
        values.target_position = state.position
        return values

    def _can_stop_from(self, state: Sample) -> np.ndarray:
        """Per joint, shape (14,): does braking from a state stay inside the limits?"""
        if not self._plan(self._brake_input(state)):
            return np.zeros(ARMS, dtype=bool)
        extrema = self._motion.position_extrema
        end = np.array(self._motion.at_time(self._motion.duration)[0])
        lowest = np.minimum([e.min for e in extrema], end)
        highest = np.maximum([e.max for e in extrema], end)
        return (lowest >= self.soft.lower - _POSITION_TOLERANCE) & (
            highest <= self.soft.upper + _POSITION_TOLERANCE
        )

    def _beginning(self, values: InputParameter, elapsed: float) -> Sample | None:
        if not self._plan(values):
            self.rescued += 1
            return None
        return Sample(*(np.array(row) for row in self._motion.at_time(elapsed)))

    def _plan(self, values: InputParameter) -> bool:
        try:
            result = self._planner.calculate(values, self._motion)
        except RuckigError:
            return False
        return result in (Result.Working, Result.Finished)


def _choose(chosen: np.ndarray, yes: Sample, no: Sample) -> Sample:
    """Per joint, `yes` where `chosen`, shape (14,), else `no`."""
    return Sample(*(np.where(chosen, y, n) for y, n in zip(yes, no)))
