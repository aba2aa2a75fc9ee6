"""A window onto the running simulation, for people with a screen."""

from __future__ import annotations

import os
from typing import Any

from kuavo_sim.ros.world import World

VIEWER_HZ = 30


VIEW = {"lookat": (0.3, 0.0, 0.9), "distance": 2.8, "azimuth": 145.0, "elevation": -20.0}
"""Where one looks from at first: in front of the robot, from its left [m, deg]."""


def open_viewer() -> Viewer:
    """A listener of the world that shows it; closing the window does not stop the simulation.

    Raises:
        ValueError: there is no screen.
    """
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ValueError("viewer:=true needs a screen: neither DISPLAY nor WAYLAND_DISPLAY is set")
    return Viewer()


class Viewer:
    """A window; opened anew when the scene changes."""

    def __init__(self) -> None:
        self._model: Any = None
        self._handle: Any = None

    def __call__(self, world: World) -> None:
        from mujoco import viewer

        sim = world.sim
        if sim.model is not self._model:
            self.close()
            self._model = sim.model
            self._handle = viewer.launch_passive(
                sim.model, sim.data, show_left_ui=False, show_right_ui=False
            )
            for name, value in VIEW.items():
                setattr(self._handle.cam, name, value)
        every = round(1.0 / (VIEWER_HZ * sim.timestep))
        if world.steps % every == 0 and self._handle is not None and self._handle.is_running():
            self._handle.sync()

    def close(self) -> None:
        """Close the window; its thread would keep the process from ending."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None
