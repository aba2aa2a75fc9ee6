"""A conveyor belt that carries by friction, with a frame, a scanner tunnel and a reject tray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from kuavo_sim.scenes.parts import VISUAL, G, box

if TYPE_CHECKING:
    from kuavo_sim.simulation import Simulation

BELT_TOP = 0.79
"""Height of the belt's surface above the floor [m]."""
BELT_X = 0.47
HALF_WIDTH = 0.075
BELT_START, BELT_END = 0.75, -0.56
"""The belt runs along y, from the robot's left to its right [m]."""
TRAY_LENGTH = 0.2
_TRAY_FLOOR = 0.68
_MARK_PITCH = 0.14
_MARK_CLEARANCE = 0.012
_MARKED = BELT_START - BELT_END - 2 * _MARK_CLEARANCE
"""The marks go round on this length [m]."""
_HEAVY = 300.0


class Belt:
    """Runs towards −y at `speed` [m/s].

    The surface is a heavy body on a slide joint that is put back and kept at its speed before every
    physics step, so that it drags whatever lies on it by friction and never gets anywhere.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed

    def build(self, spec: mujoco.MjSpec) -> None:
        """Add belt, frame, tunnel and tray."""
        length = BELT_START - BELT_END
        middle = (BELT_START + BELT_END) / 2
        body = spec.worldbody.add_body(name="belt", pos=[BELT_X, middle, BELT_TOP])
        body.add_joint(name="belt", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 1, 0])
        box(
            body, [0, 0, -0.01], [HALF_WIDTH, length / 2, 0.01], "rubber",
            name="belt", mass=_HEAVY, friction=[1.0, 0.02, 0.002],
        )  # fmt: skip
        self._marks(spec, length)
        self._frame(spec, length / 2, middle)
        _tunnel(spec)
        _tray(spec)

    def _marks(self, spec: mujoco.MjSpec, length: float) -> None:
        for i in range(round(length / _MARK_PITCH)):
            spec.worldbody.add_geom(
                name=f"belt_mark_{i}", type=G.mjGEOM_BOX, size=[HALF_WIDTH - 0.004, 0.005, 0.0004],
                pos=[BELT_X, 0, BELT_TOP], rgba=[0.42, 0.43, 0.42, 1], **VISUAL,
            )  # fmt: skip

    def _frame(self, spec: mujoco.MjSpec, half: float, middle: float) -> None:
        frame = spec.worldbody.add_body(name="belt_frame", pos=[BELT_X, middle, BELT_TOP])
        for side in (-1, 1):
            at = [side * (HALF_WIDTH + 0.012), 0, -0.03]
            box(frame, at, [0.008, half, 0.036], "steel")
            stripe = [side * (HALF_WIDTH + 0.012), 0, 0.0065]
            box(frame, stripe, [0.006, half, 0.0005], "safety", **VISUAL)
        box(frame, [0, 0, -0.055], [HALF_WIDTH, half - 0.02, 0.02], "dark_steel", **VISUAL)
        for end in (-1, 1):
            frame.add_geom(
                type=G.mjGEOM_CYLINDER, size=[0.011, HALF_WIDTH, 0], pos=[0, end * half, -0.0115],
                quat=[1, 0, 1, 0], material="steel", **VISUAL,
            )  # fmt: skip
        leg = (BELT_TOP - 0.07) / 2
        for y in (-0.8, 0, 0.8):
            for x in (-1, 1):
                at = [x * HALF_WIDTH, y * half, -0.07 - leg]
                box(frame, at, [0.018, 0.018, leg], "dark_steel", **VISUAL)
        motor = [0.11, -half + 0.12, -0.06]
        box(frame, motor, [0.035, 0.06, 0.035], "plastic_blue", **VISUAL)

    def start(self, sim: Simulation) -> None:
        """Find the parts in the compiled model."""
        joint = sim.model.joint("belt")
        self._q, self._v = int(joint.qposadr[0]), int(joint.dofadr[0])
        names = [sim.model.geom(i).name for i in range(sim.model.ngeom)]
        self._mark_ids = np.array([i for i, n in enumerate(names) if n.startswith("belt_mark_")])
        count = len(self._mark_ids)
        self._mark_starts = np.arange(count) / count * _MARKED
        self._place_marks(sim)

    def update(self, sim: Simulation) -> None:
        """Keep the belt running: before every physics step."""
        sim.data.qpos[self._q] = 0.0
        sim.data.qvel[self._v] = -self.speed
        self._place_marks(sim)

    def _place_marks(self, sim: Simulation) -> None:
        # the marks go round the belt; only their pictures move, what carries is the friction
        along = (self._mark_starts + self.speed * sim.time) % _MARKED
        sim.model.geom_pos[self._mark_ids, 1] = BELT_START - _MARK_CLEARANCE - along


def _tunnel(spec: mujoco.MjSpec) -> None:
    """The scanner that parcels come out of, left of the robot's work area."""
    tunnel = spec.worldbody.add_body(name="tunnel", pos=[BELT_X, 0.56, BELT_TOP])
    wall = HALF_WIDTH + 0.03
    for side in (-1, 1):
        box(tunnel, [side * wall, 0, 0.06], [0.008, 0.12, 0.13], "white", **VISUAL)
    box(tunnel, [0, 0, 0.19], [wall + 0.008, 0.12, 0.012], "white", **VISUAL)
    box(tunnel, [0, -0.1205, 0.165], [wall, 0.002, 0.014], "plastic_blue", **VISUAL)
    for i in range(-3, 4):
        # a curtain of rubber strips
        at = [i * 0.026, -0.112, 0.125]
        box(tunnel, at, [0.0115, 0.0015, 0.045], "rubber", **VISUAL)


def _tray(spec: mujoco.MjSpec) -> None:
    """Where parcels fall that nobody took."""
    middle = BELT_END - 0.03 - TRAY_LENGTH / 2
    tray = spec.worldbody.add_body(name="tray", pos=[BELT_X, middle, _TRAY_FLOOR])
    half = TRAY_LENGTH / 2
    red: dict[str, Any] = {"rgba": [0.62, 0.16, 0.13, 1]}
    box(tray, [0, 0, -0.005], [HALF_WIDTH + 0.02, half, 0.005], **red, name="tray_floor")
    for side in (-1, 1):
        box(tray, [side * (HALF_WIDTH + 0.02), 0, 0.035], [0.004, half, 0.045], **red)
    box(tray, [0, -half, 0.035], [HALF_WIDTH + 0.02, 0.004, 0.045], **red)
    chute = [0, half + 0.015, 0.02]
    box(tray, chute, [HALF_WIDTH + 0.02, 0.004, 0.03], **red)
    leg = (_TRAY_FLOOR - 0.01) / 2
    for x in (-1, 1):
        for y in (-1, 1):
            at = [x * HALF_WIDTH, y * (half - 0.02), -0.01 - leg]
            box(tray, at, [0.012, 0.012, leg], "dark_steel", **VISUAL)
