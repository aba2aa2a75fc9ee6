"""A window onto the running simulation, for people with a screen."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from kuavo_sim.ros.world import World

VIEWER_HZ = 30


def open_viewer() -> Callable[[World], None]:
    """A listener of the world that shows it; closing the window does not stop the simulation.

    Raises:
        ValueError: there is no screen.
    """
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ValueError("viewer:=true needs a screen: neither DISPLAY nor WAYLAND_DISPLAY is set")
    return _Viewer()


class _Viewer:
    def __init__(self) -> None:
        self._model: Any = None
        self._handle: Any = None

    def __call__(self, world: World) -> None:
        from mujoco import viewer

        sim = world.sim
        if sim.model is not self._model:
            if self._handle is not None:
                self._handle.close()
            self._model = sim.model
            self._handle = viewer.launch_passive(sim.model, sim.data)
        every = round(1.0 / (VIEWER_HZ * sim.timestep))
        if world.steps % every == 0 and self._handle.is_running():
            self._handle.sync()
