"""Furniture and small machines that scenes are put together from."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from kuavo_sim.model.names import OBJECT_CONAFFINITY, OBJECT_CONTYPE

G = mujoco.mjtGeom
SOLID: dict[str, Any] = {"contype": OBJECT_CONTYPE, "conaffinity": OBJECT_CONAFFINITY}
VISUAL: dict[str, Any] = {"contype": 0, "conaffinity": 0, "mass": 0.0}


def box(body: mujoco.MjsBody, pos: object, half: object, material: str = "", **extra: Any) -> None:
    """A solid box at `pos` with half sizes `half` [m], both in the body's frame."""
    options: dict = {**SOLID, **extra}
    if material:
        options["material"] = material
    body.add_geom(type=G.mjGEOM_BOX, pos=pos, size=half, **options)


def table(
    spec: mujoco.MjSpec,
    name: str,
    centre: tuple[float, float],
    half: tuple[float, float],
    height: float,
    material: str = "wood",
    friction: float = 0.8,
) -> mujoco.MjsBody:
    """A table whose top is at `height` [m] above the floor; the body's origin is on its top."""
    body = spec.worldbody.add_body(name=name, pos=[*centre, height])
    box(body, [0, 0, -0.015], [*half, 0.015], material, friction=[friction, 0.01, 0.001])
    box(body, [0, 0, -0.05], [half[0] - 0.03, half[1] - 0.03, 0.02], "dark_steel", **VISUAL)
    leg = (height - 0.03) / 2
    for x in (-1, 1):
        for y in (-1, 1):
            at = [x * (half[0] - 0.03), y * (half[1] - 0.03), -0.03 - leg]
            box(body, at, [0.02, 0.02, leg], "dark_steel", **VISUAL)
    return body


def free_body(spec: mujoco.MjSpec, name: str, position: object, yaw: float = 0.0) -> mujoco.MjsBody:
    """A body that moves freely; starts at `position` [m], turned by `yaw` [rad]."""
    body = spec.worldbody.add_body(
        name=name, pos=position, quat=[np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
    )
    body.add_freejoint(name=name)
    return body
