"""Generic motions as action chunks: a hand to a thing, hands open or close, hold still, walk.

A motion is a rule of the present state alone: joints go to their goal like a first-order lag of
TIME_CONSTANT, never faster than JOINT_SPEED. Wherever it is looked at, it goes on the same way.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from kuavo_deploy.robot import layout
from kuavo_sim.env import CONTROL_HZ
from kuavo_sim.experts.base import pointing
from kuavo_sim.experts.ik import ArmIK, Goal
from kuavo_sim.frames.moments import Moments
from kuavo_sim.frames.things import Thing
from kuavo_sim.model.names import BASE_HEIGHT, SIDES
from kuavo_sim.robot import Pose2D
from kuavo_sim.scenes.sorting import BOX, SortingScene, stand_before
from kuavo_sim.simulation import Simulation

TIME_CONSTANT = 0.45
JOINT_SPEED = 1.2
"""[rad/s]"""
HAND_TIME = 0.5
"""From open to closed [s]."""
ABOVE = 0.10
"""'above' and 'before' mean so far from where the hand would take it [m]."""
MISS = 0.012
"""A goal that the hand misses by more than this is no motion [m]."""
KINDS = ("above", "at", "open", "close", "hold", "walk")


class Motion(NamedTuple):
    """kind: one of KINDS. thing: index of what it goes to, −1 for none. side: 'l', 'r' or ''.

    chunk: actions, shape (steps, 20).
    """

    kind: str
    thing: int
    side: str
    chunk: np.ndarray


class Motions:
    """Makes motions that begin at the present moment.

    Args:
        sim, moments: the simulation, and who set its moment.
        named: the scene's things.
        steps: length of a chunk, at 10 Hz.
        rng: chooses.
    """

    def __init__(
        self,
        sim: Simulation,
        moments: Moments,
        named: list[Thing],
        steps: int,
        rng: np.random.Generator,
    ) -> None:
        self._sim, self._moments, self._named = sim, moments, named
        self._steps, self._rng = steps, rng
        self._ik = ArmIK(sim.scene.start_arms)

    def draw(self, reaches: int) -> list[Motion]:
        """`reaches` motions to things where that can be reached, and some others."""
        moments = self._moments
        state = layout.join(moments.arms, moments.closures)
        motions = [m for _ in range(reaches) if (m := self._reach(state)) is not None]
        side = SIDES[int(self._rng.integers(2))]
        kind, closure = (("open", 0.0), ("close", 1.0))[int(self._rng.integers(2))]
        hands = state[list(layout.HAND_INDICES)].copy()
        hands["lr".index(side)] = closure
        motions.append(Motion(kind, SIDES.index(side), side, self._to(state, moments.arms, hands)))
        if isinstance(self._sim.scene, SortingScene) and self._rng.random() < 0.5:
            motions.append(self._walk(state, self._sim.scene))
        elif self._rng.random() < 0.3:
            still = np.repeat(self._whole(state)[None], self._steps, 0)
            motions.append(Motion("hold", -1, "", still))
        return motions

    def _reach(self, state: np.ndarray) -> Motion | None:
        candidates = [i for i, thing in enumerate(self._named) if thing.take]
        free = [i for i in candidates if self._named[i].free]
        pool = free if free and self._rng.random() < 0.5 else candidates
        index = int(self._rng.choice(pool))
        side = "r" if self._rng.random() < 0.7 else "l"
        kind = "at" if self._rng.random() < 0.5 else "above"
        goal = self._goal(self._named[index], ABOVE if kind == "above" else 0.0)
        arms, error = self._ik.solve(self._moments.arms, {side: goal}, iterations=40)
        if error > MISS:
            return None
        hands = state[list(layout.HAND_INDICES)]
        return Motion(kind, index, side, self._to(state, arms, hands))

    def _goal(self, thing: Thing, back: float) -> Goal:
        """Where a hand takes a thing, or `back` metres before that along the hand."""
        base = self._moments.base
        at = thing.position(self._sim) + [0, 0, thing.height]
        local = Rotation.from_euler("z", -base.yaw).apply(at - [base.x, base.y, BASE_HEIGHT])
        yaw = 0.0
        if thing.free:
            axes = self._sim.data.body(thing.body).xmat.reshape(3, 3)
            flat = axes[:, int(np.argmin(np.abs(axes[2])))]
            yaw = math.remainder(math.atan2(flat[1], flat[0]) - base.yaw, math.pi / 2)
        tilt = math.radians(95 if thing.take == "front" else 60)
        hand = pointing(tilt, yaw)
        away = hand[:, 2] if thing.take == "front" else np.array([0.0, 0.0, 1.0])
        return Goal(local + back * away, hand, (0.1, 0.1, 0.1))

    def _to(self, state: np.ndarray, arms: np.ndarray, hands: np.ndarray) -> np.ndarray:
        """The chunk that brings arms (14,) and hands (2,) from the state to goals."""
        parts = layout.split(state)
        now, closures = parts.arms.copy(), parts.hands.copy()
        chunk = np.empty((self._steps, layout.WALKING_ACTION_DIM))
        share = 1 - math.exp(-1.0 / (TIME_CONSTANT * CONTROL_HZ))
        hand_step = 1.0 / (HAND_TIME * CONTROL_HZ)
        for k in range(self._steps):
            change = (arms - now) * share
            now = now + change / max(1.0, np.abs(change).max() / (JOINT_SPEED / CONTROL_HZ))
            closures = closures + np.clip(hands - closures, -hand_step, hand_step)
            chunk[k] = self._whole(layout.join(now, closures))
        return chunk

    def _walk(self, state: np.ndarray, scene: SortingScene) -> Motion:
        to_box = self._rng.random() < 0.5
        box = self._sim.data.body(BOX)
        yaw = math.atan2(box.xmat[3], box.xmat[0])
        rack = Pose2D(float(box.xpos[0]), float(box.xpos[1]), yaw) if to_box else scene.flow_pose
        action = layout.join(*layout.split(state)[:2], layout.Base(*stand_before(rack), 1.0))
        kind = "placement_rack" if to_box else "flow_rack"
        thing = next(i for i, t in enumerate(self._named) if t.kind == kind)
        return Motion("walk", thing, "", np.repeat(action[None], self._steps, 0))

    def _whole(self, vector: np.ndarray) -> np.ndarray:
        """A standing robot's action of 20 numbers: it stays where it is."""
        base = layout.Base(*self._moments.base)
        return layout.join(*layout.split(vector)[:2], base)
