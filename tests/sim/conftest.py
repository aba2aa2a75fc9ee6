"""A parcel cell under test: the environment, its expert, and hands of fate."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from kuavo_deploy.robot import layout
from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.scenes.parcel import PARCEL
from kuavo_sim.trials import expert_rng

RIGHT_HAND = layout.HAND_INDICES[1]


class Cell:
    """One episode of a task; `expert` may demonstrate the other task of the cell."""

    def __init__(self, task: str, seed: int, demonstrates: str | None = None) -> None:
        self.env = KuavoEnv(task, image_size=None)
        _, self.info = self.env.reset(seed=seed)
        self.sim = self.env.sim
        self.scene = self.sim.scene
        self.expert = make_expert(self.sim, expert_rng(seed), demonstrates)
        self.over = False
        self.commands = [self.sim.robot.arm_command]

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(self.sim.progress.stages)

    def step(self, action: np.ndarray) -> None:
        *_, terminated, truncated, self.info = self.env.step(action)
        self.over = terminated or truncated
        self.commands.append(self.sim.robot.arm_command)

    def rest(self, seconds: float) -> None:
        """Nobody does anything."""
        for _ in range(round(seconds * 10)):
            self.step(self.expert.action())

    def run(self, until: Callable[[Cell], bool] = lambda _: False) -> Cell:
        """The expert acts until the episode's end or a condition."""
        while not self.over and not until(self):
            self.step(self.expert.act())
        return self

    def do(self, plan: Iterable[np.ndarray]) -> None:
        """A part of a plan."""
        for action in plan:
            self.step(action)

    def slip(self) -> None:
        """The hand loses the parcel, whatever the expert wants."""
        for _ in range(4):
            action = self.expert.act()
            action[RIGHT_HAND] = 0.0
            self.step(action)

    def knock(self, velocity: tuple[float, float], spin: float = 0.0) -> None:
        """Something hits the parcel: velocity [m/s], spin [rad/s]."""
        dof = self.sim.model.joint(PARCEL).dofadr[0]
        self.sim.data.qvel[dof : dof + 2] = velocity
        self.sim.data.qvel[dof + 5] = spin

    def put(self, position: tuple[float, float, float]) -> None:
        """By magic, at rest, unturned."""
        joint = self.sim.model.joint(PARCEL)
        q, v = int(joint.qposadr[0]), int(joint.dofadr[0])
        self.sim.data.qpos[q : q + 7] = [*position, 1, 0, 0, 0]
        self.sim.data.qvel[v : v + 6] = 0.0

    def peak_velocity(self) -> np.ndarray:
        """Of the commanded arm joints, (14,) [rad/s]."""
        return np.abs(np.diff(self.commands, axis=0)).max(axis=0) * 10


@pytest.fixture
def cell() -> Iterable[Callable[..., Cell]]:
    """`cell(task, seed)` starts an episode of the parcel cell."""
    cells: list[Cell] = []

    def start(task: str, seed: int, demonstrates: str | None = None) -> Cell:
        cells.append(Cell(task, seed, demonstrates))
        return cells[-1]

    yield start
    for one in cells:
        one.env.close()
