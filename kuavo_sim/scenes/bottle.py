"""A bottle of a daily chemical: flat-sided body, shoulder, cap, and a label on one broad side.

Frame of a bottle: origin in the middle of its base, z along its axis to the cap, the label faces
−x, the narrow sides face ±y. The body is solid as a box, so a bottle on its back does not roll.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from kuavo_sim.scenes import parts

Colour = tuple[float, float, float]

KINDS = ("flip", "screw", "pump")
"""How a bottle ends: wide flip cap (shampoo), screw cap (detergent), pump (lotion)."""
PALETTE: tuple[tuple[Colour, Colour, Colour], ...] = (  # body, cap, print on the label
    ((0.16, 0.45, 0.78), (0.95, 0.95, 0.95), (0.10, 0.25, 0.60)),
    ((0.93, 0.93, 0.90), (0.12, 0.55, 0.35), (0.10, 0.45, 0.25)),
    ((0.86, 0.42, 0.55), (0.97, 0.90, 0.92), (0.65, 0.10, 0.30)),
    ((0.25, 0.62, 0.45), (0.95, 0.80, 0.20), (0.05, 0.35, 0.20)),
    ((0.55, 0.42, 0.75), (0.25, 0.18, 0.40), (0.30, 0.15, 0.50)),
    ((0.95, 0.55, 0.15), (0.20, 0.30, 0.65), (0.75, 0.25, 0.05)),
    ((0.10, 0.13, 0.17), (0.75, 0.62, 0.35), (0.45, 0.35, 0.10)),
    ((0.50, 0.78, 0.85), (0.10, 0.35, 0.55), (0.05, 0.30, 0.50)),
)
_PAPER: Colour = (0.97, 0.96, 0.92)
_STRAIGHT = 0.84
"""Share of the body's height below the shoulder."""
_RING = 32
_DENSITY = 520.0
"""Of a partly used bottle, over its body [kg/m³]."""
_LIQUID, _LEVEL = 0.8, 0.45
"""Share of the mass that is liquid, and up to where it stands, of the body's straight part."""
PLASTIC_ON_STEEL = 0.25
"""Coefficient of friction: a bottle that is nudged slides instead of falling over."""
_PAPER_HALF = 0.0006


@dataclass(frozen=True)
class Bottle:
    """One bottle's shape and colours. Lengths [m]; widths and depths are half sizes."""

    name: str
    kind: str
    half_width: float
    half_depth: float
    height: float
    cap_height: float
    colours: tuple[Colour, Colour, Colour]

    @property
    def length(self) -> float:
        """From the base to the end of the cap."""
        return self.height + self.cap_height

    @property
    def straight(self) -> float:
        """From the base to the shoulder."""
        return _STRAIGHT * self.height

    def corners(self) -> np.ndarray:
        """Corners of the smallest box around it in its own frame, shape (8, 3)."""
        x, y = self.half_depth, self.half_width
        return np.array([[i, j, k] for i in (-x, x) for j in (-y, y) for k in (0.0, self.length)])


def random_bottles(rng: np.random.Generator, count: int) -> list[Bottle]:
    """`count` bottles bottle_0, bottle_1, … of different colours, kinds and sizes."""
    palette = rng.permutation(len(PALETTE))[:count]
    return [_random_bottle(rng, f"bottle_{i}", PALETTE[p]) for i, p in enumerate(palette)]


def _random_bottle(
    rng: np.random.Generator, name: str, colours: tuple[Colour, Colour, Colour]
) -> Bottle:
    kind = str(rng.choice(KINDS))
    jittered = np.clip(np.array(colours) + rng.uniform(-0.05, 0.05, (3, 3)), 0.02, 0.98)
    body, cap, ink = (tuple(float(v) for v in colour) for colour in jittered)
    return Bottle(
        name=name,
        kind=kind,
        half_width=float(rng.uniform(0.022, 0.028)),
        half_depth=float(rng.uniform(0.019, 0.023)),
        height=float(rng.uniform(0.158, 0.180)),
        cap_height={"flip": 0.026, "screw": 0.030, "pump": 0.046}[kind],
        colours=(body, cap, ink),  # type: ignore[arg-type]
    )


def add_bottle(spec: mujoco.MjSpec, bottle: Bottle, position: object, yaw: float) -> None:
    """Stand a bottle at `position` [m] with its label towards −x, turned by `yaw` [rad]."""
    body = parts.free_body(spec, bottle.name, position, yaw)
    colour, cap, _ = bottle.colours
    straight = bottle.straight / 2
    half = [bottle.half_depth, bottle.half_width, straight]
    volume = 8 * half[0] * half[1] * half[2]
    mass = _DENSITY * volume
    parts.box(
        body, [0, 0, straight], half, mass=(1 - _LIQUID) * mass, group=3,
        friction=[PLASTIC_ON_STEEL, 0.005, 0.0001],
    )  # fmt: skip
    level = _LEVEL * straight
    liquid = {**parts.VISUAL, "mass": _LIQUID * mass}
    parts.box(body, [0, 0, level], [half[0], half[1], level], group=4, **liquid)
    _mesh(spec, bottle)
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=f"{bottle.name}_body",
        rgba=[*colour, 1],
        group=1,
        **parts.VISUAL,
    )
    _cap(body, bottle, [*cap, 1])
    _label(body, bottle)


def _mesh(spec: mujoco.MjSpec, bottle: Bottle) -> None:
    height, neck = bottle.height, _neck(bottle)
    wide, deep = bottle.half_width, bottle.half_depth
    # rings from the base to the neck: height, half width, half depth, squareness of the section
    rings = [(0.0, 0.92, 0.0), (0.006, 1.0, 0.0)]
    shoulder = np.linspace(0.0, 1.0, 7)
    rings += [
        (height * (_STRAIGHT + (1 - _STRAIGHT) * np.sin(s * np.pi / 2)), 1.0, s) for s in shoulder
    ]
    vertices: list[np.ndarray] = []
    angles = np.linspace(0, 2 * np.pi, _RING, endpoint=False)
    for z, scale, s in rings:
        part = 1 - np.cos(s * np.pi / 2)
        a = (1 - part) * deep * scale + part * neck
        b = (1 - part) * wide * scale + part * neck
        power = 2 / (6.0 - 4.0 * part)
        c, d = np.cos(angles), np.sin(angles)
        x = a * np.sign(c) * np.abs(c) ** power
        y = b * np.sign(d) * np.abs(d) ** power
        vertices.append(np.column_stack([x, y, np.full(_RING, z)]))
    points = np.vstack([*vertices, [[0, 0, 0]], [[0, 0, height]]])
    spec.add_mesh(
        name=f"{bottle.name}_body",
        uservert=points.flatten(),
        userface=_faces(len(rings)).flatten(),
    )


def _faces(rings: int) -> np.ndarray:
    """Triangles between rings of vertices, and fans to the two middle points after them."""
    bottom, top = rings * _RING, rings * _RING + 1
    last = (rings - 1) * _RING
    faces = []
    for i in range(_RING):
        j = (i + 1) % _RING
        for ring in range(rings - 1):
            a, b = ring * _RING, (ring + 1) * _RING
            faces += [[a + i, a + j, b + j], [a + i, b + j, b + i]]
        faces += [[bottom, j, i], [top, last + i, last + j]]
    return np.array(faces)


def _neck(bottle: Bottle) -> float:
    return {"flip": 0.85, "screw": 0.6, "pump": 0.5}[bottle.kind] * bottle.half_depth


def _cap(body: mujoco.MjsBody, bottle: Bottle, rgba: list[float]) -> None:
    cylinder = mujoco.mjtGeom.mjGEOM_CYLINDER
    shoulder = bottle.height - bottle.straight
    radius, half = _neck(bottle), bottle.cap_height / 2
    # shoulder and cap meet the world as one slim cylinder
    middle = bottle.length - (shoulder + bottle.cap_height) / 2
    body.add_geom(
        type=cylinder,
        pos=[0, 0, middle],
        size=[radius, (shoulder + bottle.cap_height) / 2, 0],
        mass=0.02,
        group=3,
        **parts.SOLID,
    )
    look = {"rgba": rgba, "group": 1, **parts.VISUAL}
    if bottle.kind != "pump":
        wide = radius * 1.04 if bottle.kind == "flip" else radius * 1.2
        size = [wide, half, 0]
        body.add_geom(type=cylinder, pos=[0, 0, bottle.height + half], size=size, **look)
        return
    collar, stem = [radius * 1.1, 0.009, 0], [0.005, half, 0]
    body.add_geom(type=cylinder, pos=[0, 0, bottle.height + 0.009], size=collar, **look)
    body.add_geom(type=cylinder, pos=[0, 0, bottle.height + half], size=stem, **look)
    # the nozzle looks the label's way and stays inside the body's depth
    top = [-0.004, 0, bottle.length - 0.005]
    parts.box(body, top, [bottle.half_depth - 0.006, 0.009, 0.005], **look)


def _label(body: mujoco.MjsBody, bottle: Bottle) -> None:
    """White paper with a coloured band, a round mark and lines of print."""
    ink = [*bottle.colours[2], 1]
    half_width = 0.74 * bottle.half_width
    low, high = 0.14 * bottle.height, 0.78 * bottle.height
    middle, half_height = (low + high) / 2, (high - low) / 2
    front = -bottle.half_depth

    def sheet(y: float, z: float, half_y: float, half_z: float, rgba: list[float], at: int) -> None:
        x = front - at * _PAPER_HALF
        options = {"rgba": rgba, "group": 1, **parts.VISUAL}
        parts.box(body, [x, y, z], [_PAPER_HALF, half_y, half_z], **options)

    sheet(0, middle, half_width, half_height, [*_PAPER, 1], 0)
    sheet(0, high - 0.2 * half_height, 0.94 * half_width, 0.16 * half_height, ink, 1)
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        pos=[front - _PAPER_HALF, 0, middle + 0.18 * half_height],
        quat=[0.70710678, 0, 0.70710678, 0],
        size=[0.42 * half_width, _PAPER_HALF, 0],
        rgba=ink,
        group=1,
        **parts.VISUAL,
    )
    for i, share in enumerate((0.8, 0.65, 0.75, 0.45)):
        z = middle - (0.36 + 0.16 * i) * half_height
        sheet(0, z, share * half_width, 0.045 * half_height, [0.2, 0.2, 0.22, 1], 1)
