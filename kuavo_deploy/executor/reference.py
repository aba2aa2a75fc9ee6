"""Where the plans want the robot at a time: smooth between steps, blended between plans."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kuavo_deploy.robot.layout import STATE_DIM, Base, split
from kuavo_deploy.safety.checks import Plan


class Point(NamedTuple):
    """Arms and hands, see `layout`, and two derivatives, each shape (16,), per second."""

    action: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray


class Curve:
    """A plan as a smooth function of time: cubic Hermite pieces through its actions.

    The tangents are those of neighbouring secants (Catmull-Rom, non-uniform), zero at the last
    action, which is held. Before its first action the curve stands there.
    """

    def __init__(self, times: np.ndarray, actions: np.ndarray) -> None:
        self._times, self._actions = times, actions
        self._tangents = np.zeros_like(actions)
        if len(times) > 2:
            self._tangents[1:-1] = (actions[2:] - actions[:-2]) / (times[2:] - times[:-2])[:, None]
        if len(times) > 1:
            self._tangents[0] = (actions[1] - actions[0]) / (times[1] - times[0])

    def at(self, time: float) -> Point:
        """The action and its derivatives at a time [s]."""
        times = self._times
        index = int(np.searchsorted(times, time, side="right")) - 1
        if index < 0 or index >= len(times) - 1:
            still = np.zeros(self._actions.shape[1])
            return Point(self._actions[0 if index < 0 else -1].copy(), still, still)
        step = times[index + 1] - times[index]
        return _hermite(
            (time - times[index]) / step, step,
            self._actions[index : index + 2], self._tangents[index : index + 2],
        )  # fmt: skip


def _hermite(u: float, step: float, p: np.ndarray, m: np.ndarray) -> Point:
    # power form of the cubic through p[0], p[1] with tangents m[0], m[1], u in 0…1
    rise, m0, m1 = p[1] - p[0], m[0] * step, m[1] * step
    c, d = 3 * rise - 2 * m0 - m1, m0 + m1 - 2 * rise
    return Point(
        p[0] + u * (m0 + u * (c + u * d)),
        (m0 + u * (2 * c + u * 3 * d)) / step,
        (2 * c + 6 * u * d) / step**2,
    )


class PlanQueue:
    """Which plans are in force, and what they say together.

    A new plan takes over within `blend` seconds: the weight of what was before falls smoothly to
    nothing. All plans belong to one epoch; another epoch begins with an empty queue.
    """

    def __init__(self, blend: float) -> None:
        self._blend = blend
        self._curves: list[tuple[float, Curve]] = []
        self.newest: Plan | None = None

    def clear(self) -> None:
        """Drop everything."""
        self._curves = []
        self.newest = None

    def add(self, plan: Plan, now: float, standing: np.ndarray) -> None:
        """Let a plan take over from now on.

        Args:
            plan: newer than those before.
            now: [s]
            standing: shape (16,): where the robot is told to be now; what the first plan is
                blended from.
        """
        if not self._curves:
            self._curves = [(now - self._blend, Curve(np.array([now]), standing[None]))]
        curve = Curve(plan.times, plan.actions[:, :STATE_DIM])
        self._curves = self._in_force(now) + [(now, curve)]
        self.newest = plan

    def at(self, time: float) -> Point | None:
        """What the plans say for a time [s]; None without a plan."""
        curves = self._in_force(time)
        if not curves:
            return None
        point = curves[0][1].at(time)
        for began, curve in curves[1:]:
            point = self._mixed(point, curve.at(time), (time - began) / self._blend)
        return point

    def base_at(self, time: float) -> Base | None:
        """The newest plan's base for a time [s]; None without a plan or in one without a base.

        Neither blended nor interpolated: between two poses or two angles that have nothing to do
        with each other there is no meaningful middle.
        """
        if self.newest is None:
            return None
        index = int(np.searchsorted(self.newest.times, time, side="left"))
        return split(self.newest.actions[min(index, len(self.newest.times) - 1)]).base

    def _in_force(self, time: float) -> list[tuple[float, Curve]]:
        ended = [i for i, (began, _) in enumerate(self._curves) if time - began >= self._blend]
        self._curves = self._curves[max(ended) :] if ended else self._curves
        return self._curves

    def _mixed(self, old: Point, new: Point, u: float) -> Point:
        u = min(max(u, 0.0), 1.0)
        weight = u * u * (3 - 2 * u)
        rate = 6 * u * (1 - u) / self._blend
        bend = (6 - 12 * u) / self._blend**2
        gap = Point(*(n - o for o, n in zip(old, new)))
        return Point(
            old.action + weight * gap.action,
            old.velocity + weight * gap.velocity + rate * gap.action,
            old.acceleration
            + weight * gap.acceleration + 2 * rate * gap.velocity + bend * gap.action,
        )  # fmt: skip
