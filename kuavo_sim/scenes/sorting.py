"""Sorting: walk to the flow rack, pick the workpiece, turn, walk to the placement rack, box it.

The odom frame's origin is the robot's start, so the start's variation is that of the racks' poses.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np

from kuavo_sim.model.workshop import OVERVIEW
from kuavo_sim.robot import Pose2D
from kuavo_sim.scenes.base import Rubric, Scene
from kuavo_sim.scenes.parts import free_body
from kuavo_sim.scenes.rack import (
    LANE_WIDTH,
    PICK_ZONE,
    SHELF_HEIGHT,
    cell_centre,
    flow_rack,
    lane_point,
    lane_quat,
    material_box,
    placement_rack,
)
from kuavo_sim.scenes.workpiece import bushing, machined_block, tote
from kuavo_sim.simulation import Simulation

WORKPIECE = "workpiece"
BOX = "material_box"
FLOW_RACK = "flow_rack"
WORK_SPOT = (0.36, -0.22)
"""Where the right hand works best: x, y from the base [m]. Racks are stood before accordingly."""
FLOW_STAND = Pose2D(0.48, 0.0, 0.0)
PLACE_STAND = Pose2D(-0.90, -1.00, -2.5)
"""Nominal stands of the base in front of the racks, which are about 2.3 m apart."""
RACK_SHIFT, RACK_TURN = 0.05, math.radians(5)
"""Largest deviation of a rack from its nominal pose [m], [rad]."""
BOX_SHIFT, BOX_TURN = 0.03, math.radians(4)
"""The same of the box on its shelf."""
PIECE_SHIFT, PIECE_TURN = 0.08, math.radians(30)
"""Largest deviation of the workpiece from the middle of the pick zone."""
READY_ARMS = np.array(
    [0.59, 0.02, -0.09, -2.29, -0.05, 0.07, 0.57] + [0.59, -0.02, 0.09, -2.29, 0.05, -0.07, 0.57]
)
"""Start and carrying posture, shape (14,) [rad]."""
ARM_REACH = 0.75
"""A robot that stands with its work nearer than this, and in front of it, is at a rack [m]."""
IN_CELL = 0.045
"""Largest distance of the workpiece from the middle of the marked compartment, x or y [m]."""
REST_TIME = 0.3
LIFTED = lane_point(PICK_ZONE[1], 0.0, 0.02)[2]
"""The workpiece's bottom is above this when it is off its lane, wherever in the pick zone [m]."""

_COLOURS = {
    "aluminium": (0.74, 0.76, 0.79),
    "brass": (0.70, 0.55, 0.28),
    "red": (0.66, 0.13, 0.11),
    "green": (0.13, 0.45, 0.25),
    "copper": (0.72, 0.40, 0.25),
}
_BOX_MATERIALS = ("plastic_blue", "plastic_grey", "dark_steel")


class SortingScene(Scene):
    """Two racks, a machined block to move, other parts on the other lanes and in the box."""

    task = "sorting"
    time_limit = 45.0
    head = (0.0, 0.52)

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.flow_pose = _work_pose(FLOW_STAND, rng)
        self.place_pose = _work_pose(PLACE_STAND, rng)
        x, y, yaw = rng.uniform(-1, 1, 3) * (BOX_SHIFT, BOX_SHIFT, BOX_TURN)
        self.box_offset = Pose2D(float(x), float(y), float(yaw))
        self.marked_cell = int(rng.integers(4))
        self.piece_at = rng.uniform(-PIECE_SHIFT, PIECE_SHIFT, 2)
        self.piece_yaw = float(rng.uniform(-PIECE_TURN, PIECE_TURN))
        self.piece_half = np.array([*[rng.uniform(0.023, 0.029)] * 2, rng.uniform(0.028, 0.035)])
        self.piece_mass = float(rng.uniform(0.2, 0.45))
        self.piece_colour = rng.choice(list(_COLOURS))
        self.box_material = str(rng.choice(_BOX_MATERIALS))
        self._gait_sway = float(rng.uniform(0.004, 0.012))
        self._posture_noise = rng.uniform(-0.03, 0.03, 14)
        self._other_parts = [(float(rng.uniform(-0.1, -0.04)), float(rng.uniform(0.02, 0.09)))] * 2
        self._filled_cells = [
            cell for cell in range(4) if cell != self.marked_cell and rng.random() < 0.4
        ]

    @property
    def start_arms(self) -> np.ndarray:
        """Forearms forward, hands above the racks' working height."""
        return READY_ARMS + self._posture_noise

    @property
    def graspable(self) -> list[str]:
        """The workpiece and every loose part that it could be confused with."""
        return [WORKPIECE, *self._bushings()]

    def start(self, sim: Simulation) -> None:
        """The torso sways while it walks."""
        sim.robot.gait_sway = self._gait_sway

    def build(self, spec: mujoco.MjSpec) -> None:
        """Racks, box and parts."""
        flow = _standing(spec, FLOW_RACK, self.flow_pose)
        flow_rack(flow)
        rack = _standing(spec, "placement_rack", self.place_pose)
        placement_rack(rack)
        x, y, yaw = self.box_offset
        container = rack.add_body(name=BOX, pos=[x, y, SHELF_HEIGHT], quat=_yaw_quat(yaw))
        material_box(container, self.marked_cell, self.box_material)
        self._add_workpiece(spec)
        self._add_other_parts(spec, flow)
        _light_both_racks(spec)
        _aim_overview(spec)

    def _add_workpiece(self, spec: mujoco.MjSpec) -> None:
        along, aside = self.piece_at
        height = self.piece_half[2] + 0.002
        local = lane_point(along, aside, height)
        turn = _quat_product(_yaw_quat(self.flow_pose.yaw), lane_quat(self.piece_yaw))
        body = free_body(spec, WORKPIECE, _in_frame(self.flow_pose, local))
        body.quat = turn
        rgba = (*_COLOURS[self.piece_colour], 1.0)
        spec.add_material(name="workpiece", rgba=rgba, specular=0.7, shininess=0.6)
        machined_block(body, self.piece_half, self.piece_mass, "workpiece")

    def _bushings(self) -> list[str]:
        in_cells = [f"bushing_cell_{cell}" for cell in self._filled_cells]
        return ["bushing_lane_0", "bushing_lane_1", *in_cells]

    def _add_other_parts(self, spec: mujoco.MjSpec, flow: mujoco.MjsBody) -> None:
        for i, (near, gap) in enumerate(self._other_parts):
            local = lane_point(near + i * (0.07 + gap), -LANE_WIDTH + 0.03 * i, 0.031)
            body = free_body(spec, f"bushing_lane_{i}", _in_frame(self.flow_pose, local))
            body.quat = _quat_product(_yaw_quat(self.flow_pose.yaw), lane_quat())
            bushing(body)
        for cell in self._filled_cells:
            at = _in_frame(self.box_offset, cell_centre(cell))
            world = _in_frame(self.place_pose, [at[0], at[1], SHELF_HEIGHT + at[2] + 0.031])
            bushing(free_body(spec, f"bushing_cell_{cell}", world))
        for along in (0.0, 0.27):
            tray = flow.add_body(pos=lane_point(along, LANE_WIDTH, 0.0), quat=lane_quat())
            tote(tray)

    def rubrics(self) -> list[Rubric]:
        """Sorting alone."""
        return [SortingRubric(self)]

    def cell_position(self, sim: Simulation) -> np.ndarray:
        """Middle of the marked compartment's floor, shape (3,), world [m]."""
        container = sim.data.body(BOX)
        return container.xpos + container.xmat.reshape(3, 3) @ cell_centre(self.marked_cell)


class SortingRubric(Rubric):
    """at_rack → grasped → turned → at_placement → placed."""

    task = "sorting"
    stages = ("at_rack", "grasped", "turned", "at_placement", "placed")

    def __init__(self, scene: SortingScene) -> None:
        super().__init__()
        self._scene = scene
        self._resting_since: float | None = None

    def reached(self, stage: str, sim: Simulation) -> bool:
        """The stages' conditions, in the order of the rubric."""
        if stage == "at_rack":
            return _stands_before(sim, sim.data.body(WORKPIECE).xpos)
        if stage == "grasped":
            return _held(sim) and self._lifted(sim)
        if stage == "turned":
            away = sim.robot.base_pose.yaw - self._scene.place_pose.yaw
            return _held(sim) and abs(math.remainder(away, math.tau)) < math.radians(45)
        if stage == "at_placement":
            return _held(sim) and _stands_before(sim, self._scene.cell_position(sim))
        return self._rests_in_cell(sim)

    def failed(self, sim: Simulation) -> str | None:
        """What lies on the floor is out of the hands' reach."""
        if sim.data.body(WORKPIECE).xpos[2] < 0.3:
            return "the workpiece fell on the floor"
        return None

    def _lifted(self, sim: Simulation) -> bool:
        # both surfaces that it can be taken from end below this height above the floor
        bottom = sim.data.body(WORKPIECE).xpos[2] - self._scene.piece_half[2]
        return bool(bottom > LIFTED and not _touches_furniture(sim))

    def _rests_in_cell(self, sim: Simulation) -> bool:
        container, piece = sim.data.body(BOX), sim.data.body(WORKPIECE)
        offset = container.xmat.reshape(3, 3).T @ (piece.xpos - self._scene.cell_position(sim))
        inside = np.abs(offset[:2]).max() < IN_CELL and 0.01 < offset[2] < 0.05
        velocity = sim.data.joint(WORKPIECE).qvel
        still = np.abs(velocity[:3]).max() < 0.02 and np.abs(velocity[3:]).max() < 0.3
        if not (inside and still and not _held(sim) and not _touched_by_robot(sim)):
            self._resting_since = None
            return False
        if self._resting_since is None:
            self._resting_since = sim.time
        return sim.time - self._resting_since >= REST_TIME


def _held(sim: Simulation) -> bool:
    return bool(sim.grasps.holder_of(WORKPIECE))


def _stands_before(sim: Simulation, position: np.ndarray) -> bool:
    """The robot stands still with `position` (world) within reach in front of it."""
    x, y, yaw = sim.robot.base_pose
    dx, dy = position[0] - x, position[1] - y
    bearing = math.remainder(math.atan2(dy, dx) - yaw, math.tau)
    near = math.hypot(dx, dy) < ARM_REACH and abs(bearing) < math.radians(60)
    return near and not sim.robot.walking


def _others_touching(sim: Simulation, name: str) -> set[int]:
    """Root bodies of all that touches a body now."""
    model = sim.model
    me = model.body(name).id
    pairs = model.geom_bodyid[sim.data.contact.geom[: sim.data.ncon]]
    others = {int(b if a == me else a) for a, b in pairs if me in (a, b)}
    return {int(model.body_rootid[other]) for other in others}


def _touched_by_robot(sim: Simulation) -> bool:
    return sim.model.body("base_link").id in _others_touching(sim, WORKPIECE)


def _touches_furniture(sim: Simulation) -> bool:
    return bool(_others_touching(sim, WORKPIECE) - {sim.model.body("base_link").id})


def _work_pose(stand: Pose2D, rng: np.random.Generator) -> Pose2D:
    """Where a rack's work spot is when the robot stands at `stand`, with the rack's deviation."""
    x, y, _ = _in_frame(stand, [*WORK_SPOT, 0.0])
    dx, dy = rng.uniform(-RACK_SHIFT, RACK_SHIFT, 2)
    return Pose2D(x + dx, y + dy, stand.yaw + float(rng.uniform(-RACK_TURN, RACK_TURN)))


def stand_before(pose: Pose2D) -> Pose2D:
    """Where the base stands best to work at a rack or box at `pose`."""
    x, y, _ = _in_frame(pose, [-WORK_SPOT[0], -WORK_SPOT[1], 0.0])
    return Pose2D(x, y, pose.yaw)


def _in_frame(pose: Pose2D, point: list[float]) -> list[float]:
    """A point given in the frame of a pose, in that pose's own parent frame."""
    c, s = math.cos(pose.yaw), math.sin(pose.yaw)
    x, y, z = point
    return [pose.x + c * x - s * y, pose.y + s * x + c * y, z]


def _standing(spec: mujoco.MjSpec, name: str, pose: Pose2D) -> mujoco.MjsBody:
    return spec.worldbody.add_body(name=name, pos=[pose.x, pose.y, 0.0], quat=_yaw_quat(pose.yaw))


def _yaw_quat(yaw: float) -> list[float]:
    return [math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)]


def _quat_product(a: list[float], b: list[float]) -> np.ndarray:
    product = np.empty(4)
    mujoco.mju_mulQuat(product, np.array(a), np.array(b))
    return product


def _light_both_racks(spec: mujoco.MjSpec) -> None:
    # the workshop's lamp lights one work place; here it looks between the two
    lamp = spec.lights[0]
    lamp.dir = np.array([0.0, -0.3, 0.8]) - lamp.pos


def _aim_overview(spec: mujoco.MjSpec) -> None:
    # the workshop's own view ends before the placement rack
    camera = spec.camera(OVERVIEW)
    eye, target = np.array([0.35, -3.8, 2.1]), np.array([-0.02, -0.5, 0.72])
    backward = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0, 0, 1], backward)
    right /= np.linalg.norm(right)
    camera.pos = eye
    camera.alt.xyaxes = [*right, *np.cross(backward, right)]
    camera.fovy = 47
