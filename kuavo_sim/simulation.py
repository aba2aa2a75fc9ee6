"""One scene with the robot in it, stepped and rendered; no ROS and no gym.

sim = Simulation("weighing", seed=3)
sim.robot.command_arms(...); sim.step(); image = sim.render("head_cam_h", 480, 640)
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import mujoco
import numpy as np

from kuavo_sim.grasp import GraspStabilizer, add_grasp_welds
from kuavo_sim.model.workshop import workshop
from kuavo_sim.robot import Robot
from kuavo_sim.scenes import Scene, TaskProgress, scene_class
from kuavo_sim.view import View

JUDGE_EVERY = 5
"""Grasps and rubrics are looked at every 5th physics step: 100 Hz."""
_SETTLE_STEPS = 150
_CHANGING = ("eq_data", "geom_rgba")
"""What of a compiled model changes while it runs: the welds of grasps, displays and lamps."""


class Snapshot(NamedTuple):
    """All that a simulation's future depends on, at one moment.

    parts: its attributes, by name. data: the physics. model: what changes of the model, by name.
    """

    parts: dict[str, Any]
    data: mujoco.MjData
    model: dict[str, np.ndarray]


class Simulation:
    """A MuJoCo world for one task and seed.

    Args:
        task: the name of a scene.
        seed: everything random in the scene follows from it.
        shadows: whether images show them.

    Attributes:
        robot: drives and reads the robot. scene: the task's scene. grasps: who holds what.
        command: shape (16,) or (20,): the action in force now (see `kuavo_sim.env`).
    """

    def __init__(self, task: str, seed: int, shadows: bool = True) -> None:
        self.task, self.seed = task, seed
        self.scene: Scene = scene_class(task)(np.random.default_rng(seed))
        spec = workshop(self.scene.lighting)
        self.scene.build(spec)
        add_grasp_welds(spec, self.scene.graspable)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.robot = Robot(self.model, self.data)
        self.robot.place(self.scene.start_arms, self.scene.head, self.scene.start_closures)
        self.grasps = GraspStabilizer(self.model, self.data, self.robot, self.scene.graspable)
        self.scene.start(self)
        self._view = View(self.model, shadows)
        self._settle()
        self.rubrics = self.scene.rubrics()
        self.command = np.zeros(0)
        self._steps = 0

    def _settle(self) -> None:
        # objects drop the last millimetre and the servos take up the load before time starts
        for _ in range(_SETTLE_STEPS):
            self.robot.update()
            mujoco.mj_step(self.model, self.data)
        self.data.time = 0.0
        mujoco.mj_forward(self.model, self.data)

    @property
    def time(self) -> float:
        """Simulated time [s]."""
        return self.data.time

    @property
    def timestep(self) -> float:
        """Of the physics [s]."""
        return self.model.opt.timestep

    @property
    def progress(self) -> TaskProgress:
        """How far the scene's own task is."""
        return self.rubrics[0].progress

    @property
    def outcomes(self) -> dict[str, TaskProgress]:
        """Progress of every task that can be done in this scene, by name."""
        return {rubric.task: rubric.progress for rubric in self.rubrics}

    def step(self) -> None:
        """One physics step."""
        self.robot.update()
        self.scene.update(self)
        mujoco.mj_step(self.model, self.data)
        self._steps += 1
        if self._steps % JUDGE_EVERY == 0:
            self.grasps.update()
            for rubric in self.rubrics:
                rubric.update(self)

    def snapshot(self) -> Snapshot:
        """The present moment, to come back to."""
        return Snapshot(
            self._copied({k: v for k, v in vars(self).items() if k not in ("model", "data")}),
            copy.copy(self.data),
            {name: getattr(self.model, name).copy() for name in _CHANGING},
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a moment of this simulation; as often as wanted, always the same way.

        `robot`, `scene` and `grasps` are other objects afterwards.
        """
        vars(self).update(self._copied(snapshot.parts))
        mujoco.mj_copyData(self.data, self.model, snapshot.data)
        for name, values in snapshot.model.items():
            getattr(self.model, name)[:] = values

    def _copied(self, parts: dict[str, Any]) -> dict[str, Any]:
        # there is one physics and one window into it; what refers to them goes on doing so
        shared = (self, self.model, self.data, self._view)
        return copy.deepcopy(parts, {id(part): part for part in shared})

    def render(self, camera: str, height: int, width: int) -> np.ndarray:
        """The image of a camera: (height, width, 3) uint8 RGB."""
        return self._view.render(self.data, camera, height, width)

    def render_depth(self, camera: str, height: int, width: int) -> np.ndarray:
        """Distance along the camera's axis: (height, width) float32 [m]."""
        return self._view.render_depth(self.data, camera, height, width)

    def close(self) -> None:
        """Free the GL contexts."""
        self._view.close()
