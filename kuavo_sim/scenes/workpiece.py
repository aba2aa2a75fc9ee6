"""What is sorted: a machined block with a boss; and what is not: bushings and totes."""

from __future__ import annotations

import mujoco
import numpy as np

from kuavo_sim.scenes.parts import SOLID, VISUAL, G, box

_BOSS_RADIUS, _BOSS_HALF_HEIGHT = 0.015, 0.005


def machined_block(body: mujoco.MjsBody, half: np.ndarray, mass: float, material: str) -> None:
    """A block with half sizes `half` (3,) [m], a bored boss on top and a hole in each corner."""
    top = float(half[2])
    box(body, [0, 0, 0], half, material, mass=mass, friction=[0.7, 0.01, 0.001])
    body.add_geom(
        type=G.mjGEOM_CYLINDER, pos=[0, 0, top + _BOSS_HALF_HEIGHT],
        size=[_BOSS_RADIUS, _BOSS_HALF_HEIGHT, 0], material=material, mass=0.03, **SOLID,
    )  # fmt: skip
    _hole(body, [0, 0, top + 2 * _BOSS_HALF_HEIGHT], 0.008)
    for x in (-0.7, 0.7):
        for y in (-0.7, 0.7):
            _hole(body, [x * half[0], y * half[1], top], 0.0032)


def bushing(body: mujoco.MjsBody) -> None:
    """A turned steel bushing, 52 mm across, 60 mm tall."""
    body.add_geom(
        type=G.mjGEOM_CYLINDER, size=[0.026, 0.03, 0], material="dark_steel", mass=0.25,
        friction=[0.8, 0.01, 0.001], **SOLID,
    )  # fmt: skip
    _hole(body, [0, 0, 0.03], 0.014)


def tote(body: mujoco.MjsBody) -> None:
    """A small closed tote that waits on its lane."""
    box(body, [0, 0, 0.05], [0.1, 0.13, 0.05], "plastic_blue")
    box(body, [0, 0, 0.104], [0.105, 0.135, 0.005], "plastic_grey", **VISUAL)
    box(body, [-0.1005, 0, 0.055], [0.0006, 0.05, 0.025], "white", **VISUAL)


def _hole(body: mujoco.MjsBody, at: list[float], radius: float) -> None:
    """A dark disc a hair above a surface: looks like a bore, touches nothing."""
    pos = [at[0], at[1], at[2] + 0.0003]
    body.add_geom(
        type=G.mjGEOM_CYLINDER, pos=pos, size=[radius, 0.0002, 0], material="black", **VISUAL
    )
