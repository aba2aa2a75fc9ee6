"""Things that can be named in a scene: where each is, and which geoms show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kuavo_sim.model.names import SIDES
from kuavo_sim.scenes.bottle import PALETTE, Bottle
from kuavo_sim.scenes.conveyor import ConveyorScene
from kuavo_sim.scenes.parcel import PARCEL
from kuavo_sim.scenes.placement import PlacementScene
from kuavo_sim.scenes.rack import SHELF_HEIGHT, cell_centre, lane_point
from kuavo_sim.scenes.sorting import BOX, FLOW_RACK, WORKPIECE, SortingScene
from kuavo_sim.simulation import Simulation
from kuavo_train.pretraining.classes import CLASSES

BOTTLE_COLOURS = ("blue", "white", "pink", "green", "violet", "orange", "black", "light blue")
"""Of the bottles' bodies, in the order of the scene's palette."""
HANDS = ("left_hand", "right_hand")
_ARM_PARTS = ("shoulder", "upper_roll", "upper", "elbow", "forearm", "wrist")


@dataclass(frozen=True)
class Thing:
    """Something with a place.

    kind: one of CLASSES. body, offset: its middle is `offset` (3,) [m] in that body's frame.
    bodies: show it; material: only their geoms of this material.
    details: tell it from its like: a colour, a kind, 'front'.
    take: how a hand takes it: 'down' from above, 'front' from its label's side, or '' (nothing
    to take). free: moves on its own, so its direction matters for a hand.
    """

    kind: str
    body: str
    bodies: tuple[str, ...]
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    material: str = ""
    details: tuple[str, ...] = ()
    take: str = ""
    free: bool = False
    height: float = 0.0
    """A hand that takes it is this far above its middle [m]."""

    def position(self, sim: Simulation) -> np.ndarray:
        """Its middle in the world, (3,) [m]."""
        body = sim.data.body(self.body)
        return body.xpos + body.xmat.reshape(3, 3) @ np.array(self.offset)

    def geoms(self, sim: Simulation) -> np.ndarray:
        """Ids of the geoms that show it."""
        return _geoms(sim, self.bodies, self.material)


def things(sim: Simulation) -> list[Thing]:
    """Everything nameable in a simulation's scene: unambiguous, in a fixed order."""
    scene = sim.scene
    found = [_hand(side, name) for side, name in zip(SIDES, HANDS, strict=True)]
    if isinstance(scene, ConveyorScene):
        return found + _conveyor(scene)
    if isinstance(scene, PlacementScene):
        return found + _placement(scene)
    assert isinstance(scene, SortingScene)
    return found + _sorting(scene)


def class_of_geoms(sim: Simulation) -> np.ndarray:
    """Index into CLASSES of every geom, shape (ngeom,) uint8."""
    classes = np.zeros(sim.model.ngeom, dtype=np.uint8)
    for kind, bodies in _bodies_by_kind(sim).items():
        classes[_geoms(sim, bodies)] = CLASSES.index(kind)
    for thing in things(sim):
        classes[thing.geoms(sim)] = CLASSES.index(thing.kind)
    return classes


def _hand(side: str, kind: str) -> Thing:
    parts = (f"{side}_hand", f"{side}_finger_in", f"{side}_finger_out")
    aside = -0.03 if side == "l" else 0.03
    return Thing(kind, f"{side}_hand", parts, offset=(0.0, aside, -0.12))


def _conveyor(scene: ConveyorScene) -> list[Thing]:
    parcel = scene.parcel
    return [
        Thing("parcel", PARCEL, (PARCEL,), details=(parcel.kind,), take="down", free=True),
        Thing("area", "area", ("area",), take="down", height=0.05),
        Thing("scale", "scale_platform", ("scale", "scale_platform"), take="down", height=0.05),
        Thing("display", "scale_panel", ("scale_panel",), take="down", height=0.06),
        Thing("bin", "bin", ("bin",), (0.0, 0.0, 0.04), take="down", height=0.09),
        Thing("tray", "tray", ("tray",), (0.0, 0.0, 0.03)),
        Thing("tunnel", "tunnel", ("tunnel",), (0.0, -0.12, 0.1)),
    ]


def _placement(scene: PlacementScene) -> list[Thing]:
    named = [Thing("mat", "area", ("area",), take="down", height=0.05)]
    front = scene.bottles[0].name
    for bottle in scene.bottles:
        details = (_colour(bottle), bottle.kind, *(("front",) if bottle.name == front else ()))
        middle = (0.0, 0.0, bottle.length / 2)
        named.append(
            Thing("bottle", bottle.name, (bottle.name,), middle, details=details, take="front",
                  free=True, height=bottle.straight - 0.02 - bottle.length / 2)
        )  # fmt: skip
    return named


def _sorting(scene: SortingScene) -> list[Thing]:
    x, y, z = lane_point(0.0, 0.0)
    cx, cy, cz = cell_centre(scene.marked_cell)
    return [
        Thing("workpiece", WORKPIECE, (WORKPIECE,), details=(str(scene.piece_colour),),
              take="down", free=True),
        Thing("marked_cell", BOX, (BOX,), (cx, cy, cz), material="yellow", take="down",
              height=0.06),
        Thing("material_box", BOX, (BOX,), (0.0, 0.0, 0.03), take="down", height=0.08),
        Thing("flow_rack", FLOW_RACK, (FLOW_RACK,), (x, y, z), take="down", height=0.08),
        Thing("placement_rack", "placement_rack", ("placement_rack",), (-0.2, 0.0, SHELF_HEIGHT)),
    ]  # fmt: skip


def _colour(bottle: Bottle) -> str:
    bodies = np.array([body for body, _, _ in PALETTE])
    away = np.linalg.norm(bodies - np.array(bottle.colours[0]), axis=1)
    return BOTTLE_COLOURS[int(np.argmin(away))]


def _bodies_by_kind(sim: Simulation) -> dict[str, tuple[str, ...]]:
    """Classes that are no things: too many of them, or all over the picture."""
    names = [sim.model.body(i).name for i in range(sim.model.nbody)]
    kinds = {
        "left_arm": tuple(f"l_{part}" for part in _ARM_PARTS),
        "right_arm": tuple(f"r_{part}" for part in _ARM_PARTS),
        "belt": ("belt", "belt_frame"),
        "table": ("table",),
        "bushing": tuple(name for name in names if name.startswith("bushing")),
    }
    return {kind: tuple(b for b in bodies if b in names) for kind, bodies in kinds.items()}


def _geoms(sim: Simulation, bodies: Iterable[str], material: str = "") -> np.ndarray:
    """Geoms of bodies and of what hangs on them without a name or a joint."""
    model = sim.model
    wanted = {model.body(name).id for name in bodies}
    for body in range(1, model.nbody):
        if not model.body(body).name and int(model.body_parentid[body]) in wanted:
            wanted.add(body)
    chosen = np.isin(model.geom_bodyid, list(wanted))
    if material:
        chosen &= model.geom_matid == model.material(material).id
    return np.flatnonzero(chosen)
