"""Scripted experts that demonstrate the tasks, one file each."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from kuavo_sim.experts.base import Expert, OutOfReach
from kuavo_sim.simulation import Simulation

_MODULES = {
    "moving_grasp": ("kuavo_sim.experts.moving_grasp", "MovingGraspExpert"),
    "weighing": ("kuavo_sim.experts.weighing", "WeighingExpert"),
    "placement": ("kuavo_sim.experts.placement", "PlacementExpert"),
    "sorting": ("kuavo_sim.experts.sorting", "SortingExpert"),
}


def make_expert(sim: Simulation, rng: np.random.Generator, task: str | None = None) -> Expert:
    """The expert for `task` (default: the scene's own), acting in `sim`."""
    module, name = _MODULES[task or sim.task]
    return getattr(import_module(module), name)(sim, rng)


__all__ = ["Expert", "OutOfReach", "make_expert"]
