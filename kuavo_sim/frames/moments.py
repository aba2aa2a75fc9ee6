"""Random moments of a scene, put there directly: objects where tasks bring them, arms anywhere.

No physics runs: what a hand holds is put between its fingers, what a scale shows is set. So a
moment costs milliseconds, and hands are seen in far more places than demonstrations visit.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from kuavo_sim.experts.base import pointing
from kuavo_sim.experts.ik import ArmIK, Goal
from kuavo_sim.model.names import (
    ARM_JOINTS,
    BASE_HEIGHT,
    BASE_JOINTS,
    FINGER_JOINTS,
    FINGER_STROKE,
)
from kuavo_sim.robot import Pose2D
from kuavo_sim.scenes.belt import BELT_TOP, BELT_X
from kuavo_sim.scenes.conveyor import TABLE_TOP, ConveyorScene
from kuavo_sim.scenes.parcel import PARCEL
from kuavo_sim.scenes.placement import AREA_THICKNESS, PlacementScene
from kuavo_sim.scenes.scale import Reading
from kuavo_sim.scenes.sorting import BOX, WORKPIECE, SortingScene, stand_before
from kuavo_sim.simulation import Simulation

_ARMS = {"l": slice(0, 7), "r": slice(7, 14)}
_NEAR_START = 0.15
"""Share of moments with an arm where the scene starts it."""
_REACHED = 0.05
"""A hand stays where it is when a place is farther out of reach [m]."""
_BESIDE = (0.05, 0.05, 0.05)
"""How far beside a place the hand is (standard deviation) [m]."""


class Moments:
    """Draws moments of one simulation and puts its `data` there.

    Args:
        sim: a fresh simulation.
        rng: draws everything.

    Attributes:
        arms: shape (14,) [rad], closures: shape (2,), base: of the present moment.
    """

    def __init__(self, sim: Simulation, rng: np.random.Generator) -> None:
        self._sim, self._rng = sim, rng
        self._ik = ArmIK(sim.scene.start_arms)
        model = sim.model
        self._q_arms = [int(model.joint(n).qposadr[0]) for n in ARM_JOINTS]
        self._q_fingers = [int(model.joint(n).qposadr[0]) for n in FINGER_JOINTS]
        self._q_base = [int(model.joint(n).qposadr[0]) for n in BASE_JOINTS]
        self._start = sim.data.qpos.copy()
        self.arms = np.zeros(14)
        self.closures = np.zeros(2)
        self.base = Pose2D(0.0, 0.0, 0.0)

    def draw(self) -> None:
        """A new moment."""
        sim, scene = self._sim, self._sim.scene
        sim.data.qpos[:] = self._start
        sim.data.time = float(self._rng.uniform(0.0, 20.0))
        self.base = Pose2D(0.0, 0.0, 0.0)
        self.closures = np.where(self._rng.random(2) < 0.6, 0.0, self._rng.random(2))
        if isinstance(scene, ConveyorScene):
            self._conveyor(scene)
        elif isinstance(scene, PlacementScene):
            self._placement(scene)
        elif isinstance(scene, SortingScene):
            self._sorting(scene)
        self._apply()

    # the scenes

    def _conveyor(self, scene: ConveyorScene) -> None:
        scene.belt._place_marks(self._sim)
        half = scene.parcel.half[2]
        yaw = float(self._rng.uniform(-0.7, 0.7))
        where = self._rng.choice(["belt", "table", "area", "scale", "bin", "hand"],
                                 p=[0.4, 0.1, 0.08, 0.12, 0.1, 0.2])  # fmt: skip
        spread = self._rng.uniform(-1, 1, 2)
        places = {
            "belt": (BELT_X + 0.03 * spread[0], self._rng.uniform(-0.5, 0.3), BELT_TOP),
            "table": (0.25 + 0.07 * spread[0], self._rng.uniform(-0.26, -0.04), TABLE_TOP),
            "area": (*(np.array(scene.area) + 0.06 * spread), TABLE_TOP),
            "scale": (*(scene.scale.position[:2] + 0.02 * spread), scene.scale.top),
            "bin": (*(np.array(scene.bin) + 0.03 * spread), TABLE_TOP + 0.006),
        }
        spots = {name: np.array(at) for name, at in places.items()}
        near = spots["belt" if where == "hand" else where] + [0, 0, half]
        targets = [near, *(spots[n] + [0, 0, 0.06] for n in ("area", "scale", "bin", "table"))]
        self.arms = scene.start_arms.copy()
        self._right_hand_about(targets)
        if where == "hand":
            hand = self._hand("r")
            self.closures[1] = 1 - scene.parcel.half[1] / FINGER_STROKE
            turn = pointing(math.radians(62), 0.0).T  # as it lay when it was taken
            at = hand[0] + hand[1] @ self._rng.uniform([-0.01, 0, -0.005], [0.02, 0, 0.02])
            self._put(PARCEL, at, hand[1] @ turn)
        else:
            self._put(PARCEL, near, Rotation.from_euler("z", yaw).as_matrix())
        self._show_weight(scene, where)

    def _show_weight(self, scene: ConveyorScene, where: str) -> None:
        scale = scene.scale
        chance = {"scale": 0.7, "hand": 0.5, "bin": 0.8}.get(where, 0.1)
        readings = [Reading.EMPTY] if where != "scale" else [Reading.SETTLING]
        scale.reading = Reading.HOLDING if self._rng.random() < chance else readings[0]
        scale.grams = 0 if scale.reading is Reading.EMPTY else int(self._rng.uniform(100, 500))
        scale._show(self._sim)

    def _placement(self, scene: PlacementScene) -> None:
        self.arms = scene.start_arms.copy()
        chosen = scene.bottles[0 if self._rng.random() < 0.7 else -1]
        stand = scene.stands[scene.bottles.index(chosen)]
        high = np.array([stand.x, stand.y, TABLE_TOP + chosen.straight - 0.02])
        spread = self._rng.uniform(-1, 1, 3)
        self._about("r", [high, high, np.array([0.3, -0.1, 0.97]) + 0.1 * spread], tilt=(80, 105))
        mat = np.array([scene.area.x, scene.area.y, TABLE_TOP + 0.05])
        meet = np.array([0.3, 0.1, 0.95]) + 0.1 * self._rng.uniform(-1, 1, 3)
        self._about("l", [mat, meet, meet], tilt=(30, 130))
        where = self._rng.choice(["stands", "right", "left", "lies"], p=[0.45, 0.25, 0.15, 0.15])
        if where in ("right", "left"):
            side = where[0]
            self.closures["lr".index(side)] = 1 - chosen.half_width / FINGER_STROKE
            position, rotation = self._hand(side)
            lean = pointing(math.radians(95 if side == "r" else 128), 0.0).T
            grip = chosen.straight - 0.02 if side == "r" else 0.045
            turned = rotation @ lean
            self._put(chosen.name, position - turned @ [0, 0, grip], turned)
        elif where == "lies":
            area = scene.area
            lying = Rotation.from_euler("ZY", [area.yaw, np.pi / 2]).as_matrix()
            height = TABLE_TOP + AREA_THICKNESS + chosen.half_depth
            place = np.array([area.x, area.y, height]) + [*0.03 * spread[:2], 0]
            self._put(chosen.name, place - lying @ [0, 0, chosen.length / 2], lying)

    def _sorting(self, scene: SortingScene) -> None:
        self.arms = scene.start_arms.copy()
        box = self._sim.data.body(BOX)
        box_yaw = math.atan2(box.xmat[3], box.xmat[0])
        flow = stand_before(scene.flow_pose)
        place = stand_before(Pose2D(float(box.xpos[0]), float(box.xpos[1]), box_yaw))
        at_box = self._rng.random() < 0.5
        part, noise = self._rng.random(), self._rng.uniform(-1, 1, 3) * (0.08, 0.08, 0.1)
        far = Pose2D(0.0, 0.0, 0.0) if not at_box else Pose2D(-0.05, -0.1, place.yaw + 0.6)
        near = place if at_box else flow
        share = 0.0 if part < 0.6 else part
        self.base = Pose2D(*(np.add(near, noise) * (1 - share) + np.array(far) * share))
        cell = scene.cell_position(self._sim)
        target = cell + [0, 0, 0.08] if at_box else self._sim.data.body(WORKPIECE).xpos + 0.0
        self._right_hand_about([target, target + [0, 0, 0.1]], start=0.6 if share else 0.2)
        held = self._rng.random() < (0.6 if at_box else 0.25)
        if held:
            position, rotation = self._hand("r")
            self.closures[1] = 1 - scene.piece_half[0] / FINGER_STROKE
            self._put(WORKPIECE, position, rotation @ pointing(math.radians(54)).T)
        elif at_box:
            turn = Rotation.from_euler("z", box_yaw + self._rng.uniform(-0.2, 0.2)).as_matrix()
            spread = [*self._rng.uniform(-0.03, 0.03, 2), scene.piece_half[2]]
            self._put(WORKPIECE, cell + spread, turn)

    # the arms

    def _right_hand_about(self, targets: list[np.ndarray], start: float = _NEAR_START) -> None:
        self._about("r", targets, (45, 70), start)

    def _about(
        self,
        side: str,
        targets: list[np.ndarray],
        tilt: tuple[float, float],
        start: float = _NEAR_START,
    ) -> None:
        """Put a hand near one of some world places, or leave it near its start."""
        rng = self._rng
        if rng.random() < start:
            self.arms[_ARMS[side]] += rng.normal(0, 0.08, 7)
            return
        target = targets[int(rng.integers(len(targets)))]
        beside = rng.normal(0, _BESIDE) + [0, 0, rng.uniform(0, 0.12)]
        turn = Rotation.from_euler("z", -self.base.yaw)
        local = turn.apply(target + beside - [self.base.x, self.base.y, BASE_HEIGHT])
        rotation = pointing(np.radians(rng.uniform(*tilt)), float(rng.normal(0, 0.25)))
        arms, miss = self._ik.solve(self.arms, {side: Goal(local, rotation, (0.1, 0.1, 0.1))})
        if miss < _REACHED:
            self.arms = arms
        self.arms[_ARMS[side]] += rng.normal(0, 0.01, 7)

    def _hand(self, side: str) -> tuple[np.ndarray, np.ndarray]:
        """World position and rotation of a hand at the present posture."""
        position, rotation = self._ik.hand_pose(self.arms, side)
        turn = Rotation.from_euler("z", self.base.yaw)
        world = turn.apply(position) + [self.base.x, self.base.y, BASE_HEIGHT]
        return world, turn.as_matrix() @ rotation

    # the simulation

    def _put(self, name: str, position: np.ndarray, rotation: np.ndarray) -> None:
        q = int(self._sim.model.joint(name).qposadr[0])
        x, y, z, w = Rotation.from_matrix(rotation).as_quat()
        self._sim.data.qpos[q : q + 7] = [*position, w, x, y, z]

    def _apply(self) -> None:
        data = self._sim.data
        low, high = self._sim.model.jnt_range[[self._sim.model.joint(n).id for n in ARM_JOINTS]].T
        self.arms = np.clip(self.arms, low, high)
        self.closures = np.clip(self.closures, 0.0, 1.0)
        data.qpos[self._q_arms] = self.arms
        data.qpos[self._q_fingers] = np.repeat(FINGER_STROKE * (1 - self.closures), 2)
        data.qpos[self._q_base] = self.base
        mujoco.mj_forward(self._sim.model, data)
