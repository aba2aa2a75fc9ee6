"""The simulation as a Gymnasium environment: recording and evaluation run on it.

Action a_k, shape (16,) or (20,) (see `kuavo_deploy.robot.layout`), is the target to be reached at
the end of control period k. Within the period the command in force is the straight line from
a_{k−1} to a_k, so that the command at t_{k+1} equals a_k.

    env = gymnasium.make("kuavo_sim.env:Kuavo-v0", task="weighing")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from kuavo_deploy.robot import layout, topics
from kuavo_sim.model.workshop import OVERVIEW
from kuavo_sim.simulation import Simulation, Snapshot
from kuavo_train.tasks import task_named

CONTROL_HZ = 10
_BASE_BOUND = 10.0
_ARM_BOUND = np.pi
_ARMS, _HANDS = np.array(layout.ARM_INDICES), np.array(layout.HAND_INDICES)


class KuavoEnv(gym.Env[dict[str, np.ndarray], np.ndarray]):
    """One task's scene; a new seed gives a new arrangement of it.

    Args:
        task: anything that names a task.
        image_size: (height, width) of the camera images, or None for no images.
        cameras: which of the robot's cameras are rendered.
        render_mode: 'rgb_array' renders the overview camera.
        control_hz: control periods per second; the physics has a whole number of steps in each.
        shadows: whether images show them; without, they take less than half the time.

    Observation: `state` (16,) float64 and one (H, W, 3) uint8 image per camera.
    Reward: 1 at success, else 0. Terminated at success or failure, truncated at the time limit.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": CONTROL_HZ}

    def __init__(
        self,
        task: str = "weighing",
        image_size: tuple[int, int] | None = (480, 640),
        cameras: Sequence[str] = topics.CAMERAS,
        render_mode: str | None = None,
        control_hz: int = CONTROL_HZ,
        shadows: bool = True,
    ) -> None:
        self.task = task_named(task)
        self.control_hz = control_hz
        self.metadata = {**self.metadata, "render_fps": control_hz}
        self.image_size = image_size
        self.cameras = tuple(cameras) if image_size else ()
        self.render_mode = render_mode
        self.shadows = shadows
        self.on_substep: list[Callable[[Simulation], None]] = []
        self._sim: Simulation | None = None
        self._command = np.zeros(self.task.action_dim)
        images = {
            camera: spaces.Box(0, 255, (*image_size, 3), np.uint8)
            for camera in self.cameras
            if image_size
        }
        bound = np.full(layout.STATE_DIM, _ARM_BOUND + 0.1)
        state = spaces.Box(-bound, bound, dtype=np.float64)
        self.observation_space = spaces.Dict({"state": state, **images})  # type: ignore[assignment]
        self.action_space = _action_space(self.task.action_dim)

    @property
    def sim(self) -> Simulation:
        """The running simulation.

        Raises:
            RuntimeError: before the first reset.
        """
        if self._sim is None:
            raise RuntimeError("call reset() first")
        return self._sim

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """A new scene from `seed` (without one: from the environment's own generator)."""
        super().reset(seed=seed)
        self.close()
        scene_seed = seed if seed is not None else int(self.np_random.integers(2**31))
        self._sim = Simulation(self.task.name, scene_seed, self.shadows)
        self._command = self._resting_command()
        self._sim.command = self._command
        return self.observe(), self.info()

    def resume(self, snapshot: Snapshot) -> None:
        """Go on from a moment of this episode."""
        self.sim.restore(snapshot)
        self._command = self._resting_command()

    def step(
        self, action: np.ndarray
    ) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """One control period: 0.1 s unless told otherwise.

        Raises:
            ValueError: the action has the wrong shape or a number that is not finite.
        """
        action = np.asarray(action, dtype=np.float64)
        if action.shape != self.action_space.shape or not np.isfinite(action).all():
            raise ValueError(
                f"an action of {self.task.name} is {self.task.action_dim} finite numbers, "
                f"got shape {action.shape}: {action}"
            )
        sim = self.sim
        start, self._command = self._command, action
        base = layout.split(action).base
        if base is not None:
            if base.move > layout.MOVE_THRESHOLD:
                sim.robot.walk_to(base.x, base.y, base.yaw)
            else:
                sim.robot.stand()
        change = action - start
        substeps = round(1.0 / (self.control_hz * sim.timestep))
        for i in range(1, substeps + 1):
            sim.command = start + change * (i / substeps) if i < substeps else action
            sim.robot.command_arms(sim.command[_ARMS])
            sim.robot.command_hands(sim.command[_HANDS])
            sim.step()
            for listener in self.on_substep:
                listener(sim)
        progress = sim.progress
        terminated = progress.success or progress.failure is not None
        truncated = not terminated and sim.time >= sim.scene.time_limit - 1e-6
        return self.observe(), float(progress.success), terminated, truncated, self.info()

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """The overview image, (480, 640, 3) uint8, in mode 'rgb_array'."""
        return self.sim.render(OVERVIEW, 480, 640) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Free the simulation and its GL contexts."""
        if self._sim is not None:
            self._sim.close()
            self._sim = None

    def _resting_command(self) -> np.ndarray:
        robot = self.sim.robot
        walks = self.task.action_dim == layout.WALKING_ACTION_DIM
        base = layout.Base(*robot.base_pose) if walks else None
        return layout.join(robot.arm_command, robot.hand_command, base)

    def observe(self) -> dict[str, np.ndarray]:
        """What reset and step give; renders the cameras."""
        robot = self.sim.robot
        observation = {"state": layout.join(robot.arm_positions, robot.hand_closures)}
        for camera in self.cameras:
            assert self.image_size is not None
            observation[camera] = self.sim.render(camera, *self.image_size)
        return observation

    def info(self) -> dict[str, Any]:
        """What reset and step say about the task: stage, success, failure, time [s]."""
        progress = self.sim.progress
        return {
            "task": self.task.name,
            "instruction": self.task.instruction,
            "time": self.sim.time,
            "stage": progress.stage,
            "stages": dict(progress.stages),
            "success": progress.success,
            "failure": progress.failure,
        }


def _action_space(dim: int) -> spaces.Box:
    low, high = np.full(dim, -_ARM_BOUND), np.full(dim, _ARM_BOUND)
    low[list(layout.HAND_INDICES)], high[list(layout.HAND_INDICES)] = 0.0, 1.0
    if dim == layout.WALKING_ACTION_DIM:
        low[layout.BASE_POSE], high[layout.BASE_POSE] = -_BASE_BOUND, _BASE_BOUND
        low[layout.MOVE], high[layout.MOVE] = 0.0, 1.0
    return spaces.Box(low, high, dtype=np.float64)


gym.register(id="Kuavo-v0", entry_point="kuavo_sim.env:KuavoEnv")
