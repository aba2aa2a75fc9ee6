"""The parcel cell: belt, table with a marked area, scale and bin; two tasks are done in it.

The same seed gives the same cell to both tasks, so only the instruction tells them apart.
Everything lies within the right arm's reach; the belt comes from the robot's left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from kuavo_sim.scenes.base import Rubric, Scene
from kuavo_sim.scenes.belt import BELT_END, BELT_START, BELT_TOP, BELT_X, HALF_WIDTH, Belt
from kuavo_sim.scenes.parcel import PARCEL, Parcel
from kuavo_sim.scenes.parts import VISUAL, box, table
from kuavo_sim.scenes.scale import Scale

if TYPE_CHECKING:
    from kuavo_sim.simulation import Simulation

TABLE_TOP = 0.74
TABLE_CENTRE = (0.25, -0.27)
TABLE_HALF = (0.122, 0.47)
BELT_SPEED = (0.035, 0.065)
"""0.05 m/s ± 30 %."""
AREA = (0.27, 0.03)
AREA_HALF = 0.065
SCALE = (0.27, -0.385)
BIN = (0.25, -0.610)
BIN_HALF = (0.08, 0.078)
"""Inner half sizes of the storage bin [m]."""
BIN_HEIGHT = 0.08
SPREAD = 0.03
"""Area, scale and bin lie up to this far from their nominal places [m]."""
PARCEL_START = 0.04
"""The parcel starts at this y ± 8 cm [m], before the hand can reach it."""
PARCEL_SPREAD = 0.08
PARCEL_YAW = np.radians(30)
ACROSS = 0.02
ROBOT = "base_link"
SUPPORTS = ("belt", "table", "scale_platform", "tray", "bin")
"""What a parcel can lie on."""
REST_TIME = 0.3
"""A parcel has come to rest when it has lain still this long [s]."""
_RIGHT_ARM = (0.0245, -0.2208, 0.1129, -1.6203, 0.1107, -0.0455, 0.2)
_LEFT_ARM = (0.15, 0.12, 0.0, -0.55, 0.0, 0.0, 0.0)
_AT_REST = 0.02
_BIN_COLOURS = ((0.15, 0.32, 0.62), (0.30, 0.34, 0.38), (0.16, 0.42, 0.40))
_TABLE_MATERIALS = ("wood", "white", "steel")


class ConveyorScene(Scene):
    """What both tasks share: layout, randomization, machines and looks at the physical state."""

    head = (-0.32, 0.52)

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.area, scale_at, self.bin = (_near(rng, place) for place in (AREA, SCALE, BIN))
        self.belt = Belt(float(rng.uniform(*BELT_SPEED)))
        self.scale = Scale((*scale_at, TABLE_TOP))
        self.parcel = Parcel.random(rng)
        self.parcel_start = (
            BELT_X + float(rng.uniform(-ACROSS, ACROSS)),
            PARCEL_START + float(rng.uniform(-PARCEL_SPREAD, PARCEL_SPREAD)),
        )
        self.parcel_yaw = float(rng.uniform(-PARCEL_YAW, PARCEL_YAW))
        self._start_arms = np.array(_LEFT_ARM + _RIGHT_ARM) + rng.normal(0, 0.015, 14)
        self._bin_rgb = _BIN_COLOURS[rng.integers(len(_BIN_COLOURS))]
        self._table_material = str(rng.choice(_TABLE_MATERIALS, p=(0.5, 0.3, 0.2)))

    @property
    def start_arms(self) -> np.ndarray:
        """Left arm beside the body, right hand above the table; shape (14,) [rad]."""
        return self._start_arms

    @property
    def graspable(self) -> list[str]:
        """The parcel."""
        return [PARCEL]

    def build(self, spec: mujoco.MjSpec) -> None:
        """Belt, table, marked area, scale, bin and parcel."""
        spec.add_material(name="glow", emission=0.55, specular=0.1)
        self.belt.build(spec)
        table(spec, "table", TABLE_CENTRE, TABLE_HALF, TABLE_TOP, self._table_material)
        _mark_area(spec, self.area)
        self.scale.build(spec)
        _bin(spec, self.bin, self._bin_rgb)
        height = BELT_TOP + self.parcel.half[2] + 0.001
        self.parcel.build(spec, [*self.parcel_start, height], self.parcel_yaw)

    def start(self, sim: Simulation) -> None:
        """Start the machines."""
        self.belt.start(sim)
        self.scale.start(sim)
        bodies = sim.model.geom_bodyid
        first = int(sim.model.joint(PARCEL).dofadr[0])
        self._velocity = slice(first, first + 3)
        # of each geom, is it a part of the body?
        self._parts = {
            name: bodies == sim.model.body(name).id for name in (PARCEL, *SUPPORTS, "scale")
        }
        self._parts[ROBOT] = sim.model.body_rootid[bodies] == sim.model.body(ROBOT).id

    def update(self, sim: Simulation) -> None:
        """Belt and scale run."""
        self.belt.update(sim)
        self.scale.update(sim)

    def rubrics(self) -> list[Rubric]:
        """This scene's task first, then the other one."""
        from kuavo_sim.scenes.moving_grasp import MovingGraspRubric
        from kuavo_sim.scenes.weighing import WeighingRubric

        judges: list[Rubric] = [MovingGraspRubric(self), WeighingRubric(self)]
        return sorted(judges, key=lambda judge: judge.task != self.task)

    # what the physical state says

    def position(self, sim: Simulation) -> np.ndarray:
        """The parcel's middle, (3,) [m]."""
        return sim.data.body(PARCEL).xpos.copy()

    def yaw(self, sim: Simulation) -> float:
        """The parcel's direction about the vertical [rad]."""
        rotation = sim.data.body(PARCEL).xmat
        return float(np.arctan2(rotation[3], rotation[0]))

    def speed(self, sim: Simulation) -> float:
        """The parcel's speed in the world [m/s]."""
        return float(np.linalg.norm(sim.data.qvel[self._velocity]))

    def held(self, sim: Simulation) -> bool:
        """Does a hand hold the parcel?"""
        return bool(sim.grasps.holder_of(PARCEL))

    def in_hand(self, sim: Simulation) -> bool:
        """Is the parcel held, or touched by any part of the robot?"""
        return self.held(sim) or self.touches(sim, ROBOT)

    def touches(self, sim: Simulation, body: str) -> bool:
        """Does the parcel touch belt, table, scale, scale_platform, tray, bin or the robot?"""
        pairs = sim.data.contact.geom[: sim.data.ncon]
        parcel, other = self._parts[PARCEL][pairs], self._parts[body][pairs]
        return bool((parcel & other[:, ::-1]).any())

    def over_belt(self, sim: Simulation) -> bool:
        """Is the parcel's middle above the belt?"""
        x, y, _ = self.position(sim)
        return abs(x - BELT_X) < HALF_WIDTH and BELT_END < y < BELT_START

    def at_rest(self, sim: Simulation) -> bool:
        """Does the parcel lie still now, untouched by the robot?"""
        return self.speed(sim) < _AT_REST and not self.in_hand(sim)

    def rests_on(self, sim: Simulation, body: str) -> bool:
        """Is it at rest, on `body`?"""
        return self.at_rest(sim) and self.touches(sim, body)

    def support(self, sim: Simulation) -> str | None:
        """What it is at rest on."""
        if not self.at_rest(sim):
            return None
        return next((body for body in SUPPORTS if self.touches(sim, body)), None)

    def reach_of_parcel(self, sim: Simulation) -> np.ndarray:
        """Half extents (2,) of the parcel along the world's x and y [m]."""
        rotation = np.abs(sim.data.body(PARCEL).xmat.reshape(3, 3))
        return (rotation @ np.array(self.parcel.half))[:2]

    def in_area(self, sim: Simulation) -> bool:
        """Is the parcel's middle well inside the marked area?"""
        offset = np.abs(self.position(sim)[:2] - self.area)
        return bool((offset < AREA_HALF - 0.015).all())

    def clear_of_area(self, sim: Simulation) -> bool:
        """Does no part of the parcel reach into the marked area?"""
        offset = np.abs(self.position(sim)[:2] - self.area)
        return bool((offset > AREA_HALF + self.reach_of_parcel(sim)).any())

    def in_bin(self, sim: Simulation) -> bool:
        """Is the parcel's middle between the bin's walls, below their rim?"""
        x, y, z = self.position(sim)
        inside = (np.abs((x - self.bin[0], y - self.bin[1])) < BIN_HALF).all()
        return bool(inside and TABLE_TOP < z < TABLE_TOP + BIN_HEIGHT)


class ConveyorRubric(Rubric):
    """What both tasks' judges look at: where the parcel has come to rest, what ends a task."""

    def __init__(self, scene: ConveyorScene) -> None:
        super().__init__()
        self.scene = scene
        self._support: str | None = None
        self._since = 0.0

    def update(self, sim: Simulation) -> None:
        """Follow what the parcel lies on, then judge."""
        support = self.scene.support(sim)
        if support != self._support:
            self._support, self._since = support, sim.time
        super().update(sim)

    def at_rest_on(self, sim: Simulation, body: str) -> bool:
        """Has the parcel lain still on `body` for a while, released?"""
        return self._support == body and sim.time - self._since >= REST_TIME

    def failed(self, sim: Simulation) -> str | None:
        """Missed (in the reject tray), or on the floor."""
        scene = self.scene
        if scene.held(sim):
            return None
        if scene.touches(sim, "tray"):
            return "missed: the parcel fell into the reject tray"
        if scene.position(sim)[2] < 0.5:
            return "dropped: the parcel is on the floor"
        return None


def _near(rng: np.random.Generator, place: tuple[float, float]) -> tuple[float, float]:
    shift = rng.uniform(-SPREAD, SPREAD, 2)
    return place[0] + float(shift[0]), place[1] + float(shift[1])


def _mark_area(spec: mujoco.MjSpec, centre: tuple[float, float]) -> None:
    """A square of blue tape on the table, with a pale blue sheet in it."""
    mark = spec.worldbody.add_body(name="area", pos=[*centre, TABLE_TOP])
    sheet = [AREA_HALF - 0.005] * 2
    box(mark, [0, 0, 0.0003], [*sheet, 0.0003], rgba=[0.62, 0.74, 0.88, 1], **VISUAL)
    tape = {"rgba": [0.05, 0.22, 0.70, 1], **VISUAL}
    for end in (-1, 1):
        box(mark, [end * (AREA_HALF - 0.005), 0, 0.0006], [0.005, AREA_HALF, 0.0005], **tape)
        box(mark, [0, end * (AREA_HALF - 0.005), 0.0006], [AREA_HALF, 0.005, 0.0005], **tape)


def _bin(spec: mujoco.MjSpec, centre: tuple[float, float], rgb: tuple[float, float, float]) -> None:
    """An open storage bin with a rim and a label."""
    body = spec.worldbody.add_body(name="bin", pos=[*centre, TABLE_TOP])
    x, y = BIN_HALF
    wall, half = 0.004, BIN_HEIGHT / 2
    colour: dict[str, Any] = {"rgba": [*rgb, 1]}
    rim: dict[str, Any] = {"rgba": [*(min(1.0, 1.25 * c) for c in rgb), 1], **VISUAL}
    box(body, [0, 0, 0.003], [x, y, 0.003], **colour, friction=[0.8, 0.01, 0.001])
    for end in (-1, 1):
        box(body, [end * (x + wall), 0, half], [wall, y + 2 * wall, half], **colour)
        box(body, [0, end * (y + wall), half], [x, wall, half], **colour)
        top = BIN_HEIGHT - 0.004
        box(body, [end * (x + 0.006), 0, top], [0.006, y + 0.013, 0.0045], **rim)
        box(body, [0, end * (y + 0.006), top], [x + 0.012, 0.006, 0.0045], **rim)
    box(body, [-x - 2 * wall - 0.0005, 0, 0.045], [0.0005, 0.04, 0.018], "white", **VISUAL)
