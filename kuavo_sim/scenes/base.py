"""What every scene has: a build from a seed, its own dynamics, and rubrics judged from physics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import mujoco
import numpy as np

from kuavo_sim.model.workshop import Lighting

if TYPE_CHECKING:
    from kuavo_sim.simulation import Simulation


@dataclass
class TaskProgress:
    """How far a task is. stages: name → time reached [s], in the order of the rubric."""

    stages: dict[str, float] = field(default_factory=dict)
    success: bool = False
    failure: str | None = None

    @property
    def stage(self) -> str:
        """The furthest stage reached, or 'start'."""
        return next(reversed(self.stages), "start")


class Rubric(ABC):
    """Judges one task from the physical state. Stages are reached in order, each once."""

    task: ClassVar[str]
    stages: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self.progress = TaskProgress()

    @abstractmethod
    def reached(self, stage: str, sim: Simulation) -> bool:
        """Is the condition of `stage` true now? Asked only once all earlier stages are reached."""

    def failed(self, sim: Simulation) -> str | None:
        """The reason why the task can no longer succeed, if there is one."""
        return None

    def update(self, sim: Simulation) -> None:
        """Advance through the stages as far as the state allows."""
        progress = self.progress
        if progress.success or progress.failure:
            return
        for stage in self.stages[len(progress.stages) :]:
            if not self.reached(stage, sim):
                break
            progress.stages[stage] = sim.time
        progress.success = len(progress.stages) == len(self.stages)
        if not progress.success:
            progress.failure = self.failed(sim)


class Scene(ABC):
    """One task's world. Everything random is drawn in `__init__` from the generator it gets."""

    task: ClassVar[str]
    time_limit: ClassVar[float] = 40.0
    """An episode is truncated after this long [s]."""
    head: ClassVar[tuple[float, float]] = (0.0, 0.42)
    """Yaw and pitch of the head [rad]; the task keeps it there."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.lighting = Lighting.random(rng)

    @property
    @abstractmethod
    def start_arms(self) -> np.ndarray:
        """Start posture, shape (14,) [rad], left then right."""

    @property
    def start_closures(self) -> np.ndarray:
        """Start of the hands, shape (2,): open."""
        return np.zeros(2)

    @property
    @abstractmethod
    def graspable(self) -> list[str]:
        """Names of the bodies that a hand may hold; the task begins with the first."""

    @abstractmethod
    def build(self, spec: mujoco.MjSpec) -> None:
        """Add furniture and objects to the workshop."""

    def start(self, sim: Simulation) -> None:  # noqa: B027 - optional hook
        """Called once after compilation, before the first step: set initial states."""

    def update(self, sim: Simulation) -> None:  # noqa: B027 - optional hook
        """Called before every physics step: belts, displays and other machines."""

    @abstractmethod
    def rubrics(self) -> list[Rubric]:
        """Fresh judges: this task's first, then those of other tasks doable in this scene."""
