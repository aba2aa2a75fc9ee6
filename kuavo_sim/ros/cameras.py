"""Camera images of a running simulation: rendered in a thread of their own, from a copy.

The physics thread only copies the state when images are due (some microseconds) and goes on.
Where the cameras don't keep up, images are skipped, and counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import mujoco
import numpy as np

from kuavo_deploy.robot import topics
from kuavo_sim.model.workshop import OVERVIEW
from kuavo_sim.ros.depth import encode_depth
from kuavo_sim.simulation import Simulation
from kuavo_sim.view import View

DEPTH_OF = dict(zip(topics.DEPTH_TOPICS, topics.CAMERAS, strict=True))
"""The camera that each depth feature is seen from."""


@dataclass(frozen=True)
class CameraOptions:
    """What is rendered. width, height [px]; quality of the JPEGs 1…100; shadows or none."""

    width: int = 640
    height: int = 480
    quality: int = 90
    depth: bool = False
    overview: bool = False
    shadows: bool = True

    @property
    def colour(self) -> tuple[str, ...]:
        """Names of the cameras whose colour images are rendered."""
        return (*topics.CAMERAS, OVERVIEW) if self.overview else topics.CAMERAS


@dataclass
class _Snapshot:
    stamp: int
    model: mujoco.MjModel
    data: mujoco.MjData


class Shutter:
    """Hands the newest state from the physics thread to the camera thread.

    One state may wait while the cameras work on another; a newer one takes its place.

    Args:
        patience: how long to wait for the cameras before images are skipped [s].

    Attributes:
        skipped: exposures that no image was made of.
    """

    def __init__(self, patience: float = 0.0) -> None:
        self._patience = patience
        self._changed = threading.Condition()
        self._waiting: _Snapshot | None = None
        self._spare: list[_Snapshot] = []
        self.skipped = 0

    def expose(self, sim: Simulation, stamp: int) -> None:
        """Keep a copy of the state for the cameras."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting is None, self._patience):
                self.skipped += 1
            snapshot = self._waiting or (self._spare.pop() if self._spare else None)
            if snapshot is None or snapshot.model is not sim.model:
                snapshot = _Snapshot(stamp, sim.model, mujoco.MjData(sim.model))
            mujoco.mj_copyData(snapshot.data, sim.model, sim.data)
            snapshot.stamp = stamp
            self._waiting = snapshot
            self._changed.notify_all()

    def take(self, timeout: float) -> _Snapshot | None:
        """The exposed state; None when there is none within `timeout` [s]. Give it back after."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None, timeout)
            snapshot, self._waiting = self._waiting, None
            self._changed.notify_all()
            return snapshot

    def give_back(self, snapshot: _Snapshot) -> None:
        """The cameras are done with a state."""
        with self._changed:
            self._spare = [snapshot]


class Cameras:
    """Renders and encodes whatever the shutter exposes. All in one thread: its GL context is.

    Args:
        shutter: where states come from.
        options: what is rendered.
        publish: called with camera or depth feature, stamp [ns], payload.
        wanted: is anybody looking at this camera or depth feature?
    """

    def __init__(
        self,
        shutter: Shutter,
        options: CameraOptions,
        publish: Callable[[str, int, bytes], None],
        wanted: Callable[[str], bool] = lambda name: True,
    ) -> None:
        self._shutter, self._options = shutter, options
        self._publish, self._wanted = publish, wanted
        self._view: View | None = None
        self._model: mujoco.MjModel | None = None

    def serve(self, running: Callable[[], bool]) -> None:
        """Until `running()` is false."""
        try:
            while running():
                self.serve_once(timeout=0.2)
        finally:
            if self._view is not None:
                self._view.close()

    def serve_once(self, timeout: float) -> bool:
        """Render one exposed state; False when there is none within `timeout` [s]."""
        snapshot = self._shutter.take(timeout)
        if snapshot is None:
            return False
        try:
            view = self._view_of(snapshot.model)
            for name, payload in self._images(view, snapshot.data):
                self._publish(name, snapshot.stamp, payload)
        finally:
            self._shutter.give_back(snapshot)
        return True

    def _images(self, view: View, data: mujoco.MjData) -> Iterable[tuple[str, bytes]]:
        size = self._options.height, self._options.width
        for camera in self._options.colour:
            if self._wanted(camera):
                yield camera, encode_jpeg(view.render(data, camera, *size), self._options.quality)
        if self._options.depth:
            for feature, camera in DEPTH_OF.items():
                if self._wanted(feature):
                    yield feature, encode_depth(view.render_depth(data, camera, *size))

    def _view_of(self, model: mujoco.MjModel) -> View:
        if self._view is None or model is not self._model:
            if self._view is not None:
                self._view.close()
            self._view, self._model = View(model, self._options.shadows), model
        return self._view


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """(H, W, 3) uint8 RGB as JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    done, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise RuntimeError("OpenCV could not encode an image")
    return jpeg.tobytes()
