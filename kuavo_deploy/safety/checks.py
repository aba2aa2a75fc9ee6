"""Is a plan (an action chunk) fit to be executed? Every policy is untrusted.

Two kinds of refusal: `late` ones are what networks do (old, reordered, of an instruction that has
been left) and are only counted; the others show that the policy is broken, and fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from kuavo_deploy.robot import layout
from kuavo_deploy.safety.limits import SoftLimits

MAX_STEPS = 500
MAX_HORIZON = 60.0
"""[s]"""


class PlanRefused(ValueError):
    """A plan that must not be executed. `late`: see the module."""

    def __init__(self, reason: str, late: bool = False) -> None:
        super().__init__(reason)
        self.late = late


@dataclass(frozen=True)
class RawPlan:
    """A plan as it came in; nothing about it is known to be true.

    epoch: of the instruction that it was planned for. stamp: of the observation [s].
    names: of the D action numbers. times: T times after the stamp [s].
    positions: T rows of D numbers.
    """

    epoch: str
    stamp: float
    names: Sequence[str]
    times: Sequence[float]
    positions: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Plan:
    """A checked plan.

    epoch: of its instruction. stamp: of the observation [s].
    times: shape (T,), absolute, rising [s]. actions: shape (T, 16) or (T, 20), see `layout`.
    """

    epoch: str
    stamp: float
    times: np.ndarray
    actions: np.ndarray

    @property
    def end(self) -> float:
        """When its last action is due [s]."""
        return float(self.times[-1])


def check_plan(raw: RawPlan) -> Plan:
    """The plan, if its shape, names, times and numbers are right.

    Raises:
        PlanRefused: with what is wrong.
    """
    expected = layout.action_names(len(raw.names)) if len(raw.names) in (16, 20) else None
    if expected is None or tuple(raw.names) != expected:
        first = ", ".join(map(str, raw.names[:3]))
        valid = ", ".join(layout.STATE_NAMES[:3])
        raise PlanRefused(
            f"a plan names {len(raw.names)} joints, {first}…; "
            f"expected {valid}…, 16 or with the base 20"
        )
    if not 1 <= len(raw.positions) <= MAX_STEPS:
        raise PlanRefused(f"a plan has 1…{MAX_STEPS} steps, got {len(raw.positions)}")
    actions = _numbers(raw.positions, (len(raw.positions), len(expected)), "positions")
    times = _numbers(raw.times, (len(raw.positions),), "times")
    if times[0] < 0 or times[-1] > MAX_HORIZON or (np.diff(times) <= 0).any():
        raise PlanRefused(
            f"a plan's times must rise from 0 or more to at most {MAX_HORIZON:g} s"
        )
    if not np.isfinite(raw.stamp) or raw.stamp <= 0:
        raise PlanRefused(f"a plan's stamp must be a time, got {raw.stamp!r}")
    plan = Plan(raw.epoch, float(raw.stamp), raw.stamp + times, actions)
    plan.times.flags.writeable = plan.actions.flags.writeable = False
    return plan


def _numbers(values: object, shape: tuple, what: str) -> np.ndarray:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PlanRefused(f"a plan's {what} are not numbers: {error}") from error
    if array.shape != shape:
        raise PlanRefused(f"a plan's {what} have shape {array.shape}, expected {shape}")
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise PlanRefused(f"a plan's {what} are not finite at {where}")
    return array


def check_reach(plan: Plan, soft: SoftLimits, tolerance: float) -> None:
    """Refuse a plan whose arms are further outside the limits than `tolerance` [rad].

    A little outside is a policy's noise and is clipped; far outside is another unit, another
    robot, or a policy that has lost its way.
    """
    arms = plan.actions[:, list(layout.ARM_INDICES)]
    beyond = soft.beyond(arms)
    if (excess := beyond.max(initial=0.0)) > tolerance:
        step, joint = np.unravel_index(beyond.argmax(), beyond.shape)
        raise PlanRefused(
            f"a plan is {excess:.2f} rad outside the arms' limits: "
            f"{layout.ARM_JOINT_NAMES[joint]} {arms[step, joint]:.2f} rad at step {step}. Degrees, "
            "another robot, or a policy that has lost its way?"
        )


def check_timing(plan: Plan, now: float, max_age: float, newest: float, ahead: float) -> None:
    """Refuse a plan that is too old, from the future, or older than one that is known.

    Args:
        plan: checked.
        now: [s]
        max_age: of the observation [s].
        newest: stamp of the newest accepted plan [s].
        ahead: how far clocks may differ [s].
    """
    age = now - plan.stamp
    if age < -ahead:
        raise PlanRefused(
            f"a plan is {-age:.3f} s in the future: are the clocks synchronized?", True
        )
    if age > max_age:
        raise PlanRefused(f"a plan is {age:.2f} s old, {max_age:.2f} s are allowed", True)
    if plan.stamp <= newest:
        raise PlanRefused("a plan came after a newer one", True)
