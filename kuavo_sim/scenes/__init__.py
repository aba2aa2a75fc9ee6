"""Task scenes, one file each: furniture, objects, their randomization and the task's rubric."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from kuavo_sim.scenes.base import Rubric, Scene, TaskProgress

_MODULES = {
    "moving_grasp": ("kuavo_sim.scenes.moving_grasp", "MovingGraspScene"),
    "weighing": ("kuavo_sim.scenes.weighing", "WeighingScene"),
    "placement": ("kuavo_sim.scenes.placement", "PlacementScene"),
    "sorting": ("kuavo_sim.scenes.sorting", "SortingScene"),
}
SCENES = tuple(_MODULES)


def scene_class(task: str) -> type[Scene]:
    """The scene of a task.

    Raises:
        ValueError: there is no scene for it; the message lists those that there are.
    """
    if task not in _MODULES:
        raise ValueError(f"no simulated scene for task {task!r}: choose from {', '.join(SCENES)}")
    module, name = _MODULES[task]
    return getattr(import_module(module), name)


def stages_of(task: str) -> tuple[str, ...]:
    """The stages of a task's own rubric, in order.

    Raises:
        ValueError: there is no scene for it; the message lists those that there are.
    """
    return scene_class(task)(np.random.default_rng(0)).rubrics()[0].stages


__all__ = ["SCENES", "Rubric", "Scene", "TaskProgress", "scene_class", "stages_of"]
