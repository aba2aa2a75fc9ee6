"""Where a world point appears in a camera's image, and what each pixel shows."""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numpy as np

from kuavo_sim.simulation import Simulation

ASPECT = 4 / 3
"""Width over height of the robot's images."""


class Projection(NamedTuple):
    """Where N world points appear in an image of 4:3.

    places: (N, 2), x right and y down, −1 … 1 from edge to edge; meaningless behind the camera.
    inside: (N,) bool, before the camera and in the picture. metres: (N,), how long one unit of x
    is at a point's depth [m].
    """

    places: np.ndarray
    inside: np.ndarray
    metres: np.ndarray


def project(sim: Simulation, camera: str, points: np.ndarray) -> Projection:
    """World points, shape (N, 3) [m], through a pinhole camera of the scene."""
    view = sim.data.cam(camera)
    local = (points - view.xpos) @ view.xmat.reshape(3, 3)
    depth = np.maximum(-local[:, 2], 1e-6)
    half = np.tan(np.radians(sim.model.cam(camera).fovy[0]) / 2)
    x = local[:, 0] / (depth * half * ASPECT)
    y = -local[:, 1] / (depth * half)
    places = np.stack([x, y], axis=1)
    inside = (-local[:, 2] > 0.01) & (np.abs(places) < 1).all(axis=1)
    return Projection(places, inside, depth * half * ASPECT)


def letterboxed(places: np.ndarray) -> np.ndarray:
    """Places in a 4:3 image → in the square that the policy sees, padded at the top.

    lerobot's `resize_with_pad` puts all of the padding at the top and the left.
    """
    square = np.array(places, dtype=float)
    square[..., 1] = 1.0 - (1.0 - square[..., 1]) / ASPECT
    return square


class Segmenter:
    """Which geom each pixel shows.

    Args:
        sim: the simulation; call `close` before it is closed.
        height, width: of the images [px].
    """

    def __init__(self, sim: Simulation, height: int, width: int) -> None:
        self._renderer = mujoco.Renderer(sim.model, height, width)
        self._renderer.enable_segmentation_rendering()
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
        self._options = mujoco.MjvOption()
        self._options.geomgroup[:] = [1, 1, 1, 0, 0, 0]
        self._options.sitegroup[:] = 0

    def __call__(self, data: mujoco.MjData, camera: str) -> np.ndarray:
        """Shape (height, width) int: the geom's id, −1 for none."""
        self._renderer.update_scene(data, camera, self._options)
        seen = self._renderer.render()
        return np.where(seen[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM), seen[..., 0], -1)

    def close(self) -> None:
        """Free the GL context."""
        self._renderer.close()
