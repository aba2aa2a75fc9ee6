"""Bottles of daily chemicals on the right of a table; one is to lie, label up, in a yellow area.

The bottle that stands nearest to the table's front edge has room around it for a hand; the others
stand behind it. Any of them counts.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import mujoco
import numpy as np

from kuavo_sim.scenes import parts
from kuavo_sim.scenes.base import Rubric, Scene
from kuavo_sim.scenes.bottle import PLASTIC_ON_STEEL, Bottle, add_bottle, random_bottles
from kuavo_sim.simulation import Simulation

TABLE_TOP = 0.74
TABLE_CENTRE, TABLE_HALF = (0.52, 0.0), (0.30, 0.62)
AREA_HALF = (0.15, 0.085)
"""Half length (along which the bottle lies) and half width of the yellow area [m]."""
AREA_THICKNESS = 0.004
FRONT_X, FRONT_Y = (0.32, 0.46), (-0.38, -0.19)
"""Where the front bottle stands [m]."""
LABEL_YAW = np.radians(30)
"""Labels face the robot within this angle."""
AREA_X, AREA_Y = (0.33, 0.45), (0.15, 0.33)
AREA_YAW = (np.radians(-22), np.radians(12))
_BEHIND_Y, _BACK_X = (-0.51, -0.04), 0.70
_BEHIND_X = 0.09
"""The others stand at least this much farther from the table's front edge [m]."""
_SPACING = 0.10
LIFTED = 0.05
"""A bottle's base is this far above the table when it counts as lifted [m]."""
LABEL_TILT = np.radians(20)
_REST_TIME = 0.2
_STILL = (0.02, 0.2)
"""Speeds of a bottle at rest: [m/s], [rad/s]."""


class Standing(NamedTuple):
    """Where a bottle stands or the area lies: x, y [m], yaw [rad]."""

    x: float
    y: float
    yaw: float


class PlacementScene(Scene):
    """A table with a clutter of bottles and a yellow area.

    Attributes:
        bottles: the bottles, the one in front first. stands: where each of them stands.
        area: where the yellow area lies; its x axis is the arrow that is printed on it.
    """

    task: ClassVar[str] = "placement"
    time_limit: ClassVar[float] = 40.0
    head: ClassVar[tuple[float, float]] = (-0.09, 0.50)

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.area = Standing(rng.uniform(*AREA_X), rng.uniform(*AREA_Y), rng.uniform(*AREA_YAW))
        self.bottles: list[Bottle] = random_bottles(rng, int(rng.integers(4, 7)))
        self.stands = _arrange(rng, len(self.bottles))
        self._start_noise = rng.normal(0, 0.03, 14)

    @property
    def start_arms(self) -> np.ndarray:
        """Elbows bent, hands over the table's front edge."""
        left = np.array([0.65, 0.22, 0.0, -2.0, 0.0, 0.0, 0.15])
        right = left * [1, -1, -1, 1, -1, -1, 1]
        return np.concatenate([left, right]) + self._start_noise

    @property
    def graspable(self) -> list[str]:
        return [bottle.name for bottle in self.bottles]

    def build(self, spec: mujoco.MjSpec) -> None:
        parts.table(spec, "table", TABLE_CENTRE, TABLE_HALF, TABLE_TOP, "steel", PLASTIC_ON_STEEL)
        _area(spec, self.area)
        for bottle, (x, y, yaw) in zip(self.bottles, self.stands, strict=True):
            add_bottle(spec, bottle, [x, y, TABLE_TOP + 0.0005], yaw)

    def rubrics(self) -> list[Rubric]:
        return [PlacementRubric(self)]


class PlacementRubric(Rubric):
    """The bottle that is judged is the one handed over; the right hand must have lifted it."""

    task = "placement"
    stages = ("grasped", "lifted", "handed_over", "in_area", "label_up")

    def __init__(self, scene: PlacementScene) -> None:
        super().__init__()
        self._scene = scene
        self._lifted: set[str] = set()
        self._bottle: Bottle | None = None
        self._resting_since: float | None = None

    def update(self, sim: Simulation) -> None:
        held = sim.grasps.held_by("r")
        if held is not None and sim.data.body(held).xpos[2] > TABLE_TOP + LIFTED:
            self._lifted.add(held)
        in_left = sim.grasps.held_by("l")
        if in_left in self._lifted and sim.grasps.holder_of(in_left) == ("l",):
            self._bottle = next(b for b in self._scene.bottles if b.name == in_left)
        self._watch_rest(sim)
        super().update(sim)

    def reached(self, stage: str, sim: Simulation) -> bool:
        if stage == "grasped":
            return sim.grasps.held_by("r") is not None
        if stage == "lifted":
            return bool(self._lifted)
        if self._bottle is None:
            return False
        if stage == "handed_over":
            return sim.grasps.holder_of(self._bottle.name) == ("l",)
        if not inside_area(sim, self._bottle, self._scene.area):
            return False
        if stage == "in_area":
            return True
        rested = self._resting_since is not None and sim.time - self._resting_since >= _REST_TIME
        return rested and label_tilt(sim, self._bottle) < LABEL_TILT

    def failed(self, sim: Simulation) -> str | None:
        for bottle in self._scene.bottles:
            if sim.data.body(bottle.name).xpos[2] < TABLE_TOP - 0.15:
                return f"{bottle.name} fell off the table"
        return None

    def _watch_rest(self, sim: Simulation) -> None:
        if self._bottle is not None and still(sim, self._bottle.name):
            self._resting_since = sim.time if self._resting_since is None else self._resting_since
        else:
            self._resting_since = None


def bottle_points(sim: Simulation, bottle: Bottle) -> np.ndarray:
    """Corners of the box around a bottle in the world, shape (8, 3) [m]."""
    body = sim.data.body(bottle.name)
    return body.xpos + bottle.corners() @ body.xmat.reshape(3, 3).T


def inside_area(sim: Simulation, bottle: Bottle, area: Standing) -> bool:
    """Does a bottle lie on the yellow area, no part of it over the edge?"""
    points = bottle_points(sim, bottle)
    away = points[:, :2] - (area.x, area.y)
    c, s = np.cos(area.yaw), np.sin(area.yaw)
    local = away @ np.array([[c, -s], [s, c]])
    low = points[:, 2].min() - TABLE_TOP - AREA_THICKNESS
    return bool((np.abs(local) <= AREA_HALF).all() and abs(low) < 0.012)


def label_tilt(sim: Simulation, bottle: Bottle) -> float:
    """Angle between the label's normal and straight up [rad]."""
    normal = -sim.data.body(bottle.name).xmat.reshape(3, 3)[:, 0]
    return float(np.arccos(np.clip(normal[2], -1.0, 1.0)))


def still(sim: Simulation, name: str) -> bool:
    """Does a bottle that nobody holds not move?"""
    if sim.grasps.holder_of(name):
        return False
    velocity = sim.data.qvel[sim.model.joint(name).dofadr[0] :][:6]
    return bool(
        np.linalg.norm(velocity[:3]) < _STILL[0] and np.linalg.norm(velocity[3:]) < _STILL[1]
    )


def _arrange(rng: np.random.Generator, count: int) -> list[Standing]:
    """The front bottle, then the others behind it with room for a hand about the front one."""
    yaw = float(rng.uniform(-LABEL_YAW, LABEL_YAW))
    front = Standing(float(rng.uniform(*FRONT_X)), float(rng.uniform(*FRONT_Y)), yaw)
    stands = [front]
    while len(stands) < count:
        x, y = rng.uniform(front.x + _BEHIND_X, _BACK_X), rng.uniform(*_BEHIND_Y)
        other = Standing(float(x), float(y), float(rng.uniform(-LABEL_YAW, LABEL_YAW)))
        apart = min(np.hypot(other.x - s.x, other.y - s.y) for s in stands)
        if apart > _SPACING and not _in_the_way(other, front):
            stands.append(other)
    return stands


def _in_the_way(other: Standing, front: Standing) -> bool:
    """Would an open hand that grasps `front` touch `other`?"""
    dx, dy = other.x - front.x, other.y - front.y
    c, s = np.cos(front.yaw), np.sin(front.yaw)
    ahead, aside = c * dx + s * dy, -s * dx + c * dy
    return bool(ahead < 0.095 and abs(aside) < 0.135)


def _area(spec: mujoco.MjSpec, area: Standing) -> None:
    """A yellow mat with a frame, and an arrow that tells where the bottle's cap goes."""
    quat = [np.cos(area.yaw / 2), 0, 0, np.sin(area.yaw / 2)]
    half = AREA_THICKNESS / 2
    mat = spec.worldbody.add_body(name="area", pos=[area.x, area.y, TABLE_TOP], quat=quat)
    parts.box(mat, [0, 0, half], [*AREA_HALF, half], "yellow", friction=[0.9, 0.01, 0.001])
    line, top = 0.004, AREA_THICKNESS
    ink = {"material": "black", **parts.VISUAL}
    for sign in (-1, 1):
        x, y = sign * (AREA_HALF[0] - 0.012), sign * (AREA_HALF[1] - 0.012)
        parts.box(mat, [x, 0, top], [line / 2, AREA_HALF[1] - 0.010, 0.0003], **ink)
        parts.box(mat, [0, y, top], [AREA_HALF[0] - 0.010, line / 2, 0.0003], **ink)
        # the two strokes of the arrow's head
        turn = [np.cos(0.4), 0, 0, -sign * np.sin(0.4)]
        parts.box(mat, [0.11, sign * 0.013, top], [0.02, 0.003, 0.0003], quat=turn, **ink)
    parts.box(mat, [0.02, 0, top], [0.10, 0.003, 0.0003], **ink)
