"""A parcel: a cardboard box or a padded courier bag, of random size, colour and weight."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from kuavo_sim.scenes.parts import VISUAL, G, box, free_body

PARCEL = "parcel"
KINDS = ("box", "bag")
_BOX_COLOURS = (
    (0.68, 0.50, 0.31), (0.58, 0.41, 0.26), (0.86, 0.84, 0.79), (0.20, 0.42, 0.62),
    (0.66, 0.18, 0.15), (0.22, 0.48, 0.30),
)  # fmt: skip
_BAG_COLOURS = (
    (0.78, 0.79, 0.80), (0.42, 0.44, 0.47), (0.88, 0.68, 0.16), (0.86, 0.45, 0.20),
    (0.52, 0.30, 0.58), (0.17, 0.52, 0.58),
)  # fmt: skip


@dataclass(frozen=True)
class Parcel:
    """half: half sizes along the parcel's x (long), y (gripped), z [m]; mass [kg]; rgb 0…1."""

    kind: str
    half: tuple[float, float, float]
    mass: float
    rgb: tuple[float, float, float]
    label: tuple[float, float]

    @classmethod
    def random(cls, rng: np.random.Generator) -> Parcel:
        """Length 7…11 cm, width 5…7.4 cm, height 5…7 cm, 120…450 g."""
        kind = str(rng.choice(KINDS))
        half = (rng.uniform(0.035, 0.055), rng.uniform(0.025, 0.037), rng.uniform(0.025, 0.035))
        colours = _BOX_COLOURS if kind == "box" else _BAG_COLOURS
        rgb = np.clip(colours[rng.integers(len(colours))] + rng.normal(0, 0.03, 3), 0.02, 0.98)
        mass = float(rng.uniform(0.12, 0.45))
        label = (float(rng.uniform(-0.25, 0.25)), float(rng.uniform(-0.2, 0.2)))
        return cls(kind, half, mass, (float(rgb[0]), float(rgb[1]), float(rgb[2])), label)

    def build(self, spec: mujoco.MjSpec, position: object, yaw: float) -> None:
        """Add it as the free body `parcel`."""
        body = free_body(spec, PARCEL, position, yaw)
        # the box that collides; a bag's is hidden inside its pillow
        look = {"rgba": [*self.rgb, 1]} if self.kind == "box" else {"group": 4}
        box(
            body, [0, 0, 0], self.half, name=PARCEL, mass=self.mass,
            friction=[0.8, 0.02, 0.001], condim=4, **look,
        )  # fmt: skip
        if self.kind == "bag":
            self._pillow(spec, body)
        else:
            self._tape(body)
        self._label(body)

    def _tape(self, body: mujoco.MjsBody) -> None:
        tape = {"rgba": [0.80, 0.72, 0.55, 1], **VISUAL}
        x, y, z = self.half
        box(body, [0, 0, 0], [x + 0.0004, 0.007, z + 0.0004], **tape)

    def _pillow(self, spec: mujoco.MjSpec, body: mujoco.MjsBody) -> None:
        vertices, faces = pillow(np.array(self.half) * [1.06, 1.02, 1.0])
        spec.add_mesh(name="pillow", uservert=vertices.ravel(), userface=faces.ravel())
        body.add_geom(type=G.mjGEOM_MESH, meshname="pillow", rgba=[*self.rgb, 1], **VISUAL)
        seam = {"rgba": [*(0.8 * c for c in self.rgb), 1], **VISUAL}
        x, y, _ = self.half
        for end in (-1, 1):
            box(body, [end * (x * 1.06 + 0.003), 0, 0], [0.006, y * 0.86, 0.0015], **seam)

    def _label(self, body: mujoco.MjsBody) -> None:
        x, y, z = self.half
        size = (0.42 * x, 0.5 * y)
        top = z + 0.0006
        at = (self.label[0] * x, self.label[1] * y)
        box(body, [*at, top], [*size, 0.0006], "white", **VISUAL)
        for i, width in enumerate((1.0, 0.5, 1.5, 0.7, 1.0, 0.5)):
            # a bar code
            bar = [at[0] + size[0] * (-0.6 + 0.24 * i), at[1] + size[1] * 0.3, top + 0.0006]
            box(body, bar, [0.05 * width * size[0], 0.4 * size[1], 0.0003], "black", **VISUAL)
        line = [at[0], at[1] - size[1] * 0.55, top + 0.0006]
        box(body, line, [0.6 * size[0], 0.08 * size[1], 0.0003], "black", **VISUAL)


def pillow(half: np.ndarray, rows: int = 12, columns: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A closed surface between a box and an ellipsoid (a superellipsoid).

    Returns:
        Vertices (V, 3) [m] and triangles (F, 3), outward.
    """
    vertical, around = 0.62, 0.42
    latitude = np.linspace(-np.pi / 2, np.pi / 2, rows + 1)[1:-1]
    longitude = np.linspace(-np.pi, np.pi, columns, endpoint=False)
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    ring = _power(np.cos(lat), vertical)
    points = np.stack(
        [
            half[0] * ring * _power(np.cos(lon), around),
            half[1] * ring * _power(np.sin(lon), around),
            half[2] * _power(np.sin(lat), vertical),
        ],
        axis=-1,
    ).reshape(-1, 3)
    vertices = np.vstack([points, [0, 0, -half[2]], [0, 0, half[2]]])
    south, north = len(points), len(points) + 1
    faces = []
    for i in range(rows - 2):
        for j in range(columns):
            k = (j + 1) % columns
            a, b, c, d = (r * columns + s for r, s in ((i, j), (i, k), (i + 1, k), (i + 1, j)))
            faces += [(a, b, c), (a, c, d)]
    for j in range(columns):
        k = (j + 1) % columns
        faces += [(south, k, j), (north, (rows - 2) * columns + j, (rows - 2) * columns + k)]
    return vertices, np.array(faces)


def _power(value: np.ndarray, exponent: float) -> np.ndarray:
    return np.sign(value) * np.abs(value) ** exponent
