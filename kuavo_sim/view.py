"""Renders a compiled model. A view belongs to the thread that renders first, as its GL does."""

from __future__ import annotations

import mujoco
import numpy as np

_VISIBLE_GROUPS = (0, 1, 2)


class View:
    """Camera images of one model, from any of its states.

    Args:
        model: the compiled model.
        shadows: whether the lamp casts them; without, an image takes less than half the time.
    """

    def __init__(self, model: mujoco.MjModel, shadows: bool = True) -> None:
        self._model, self._shadows = model, shadows
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}
        self._options = mujoco.MjvOption()
        self._options.geomgroup[:] = [group in _VISIBLE_GROUPS for group in range(6)]
        self._options.sitegroup[:] = 0

    def render(self, data: mujoco.MjData, camera: str, height: int, width: int) -> np.ndarray:
        """The image of a camera: (height, width, 3) uint8 RGB."""
        renderer = self._renderer(height, width)
        renderer.update_scene(data, camera, self._options)
        return renderer.render()

    def render_depth(self, data: mujoco.MjData, camera: str, height: int, width: int) -> np.ndarray:
        """Distance along the camera's axis: (height, width) float32 [m]."""
        renderer = self._renderer(height, width)
        renderer.enable_depth_rendering()
        try:
            renderer.update_scene(data, camera, self._options)
            return renderer.render()
        finally:
            renderer.disable_depth_rendering()

    def close(self) -> None:
        """Free the GL contexts."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    def _renderer(self, height: int, width: int) -> mujoco.Renderer:
        key = (height, width)
        if key not in self._renderers:
            renderer = mujoco.Renderer(self._model, height, width)
            renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self._shadows
            self._renderers[key] = renderer
        return self._renderers[key]
