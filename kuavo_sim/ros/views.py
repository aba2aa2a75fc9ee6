"""What a film of the running simulation shows: room, head camera, both wrists, a line of text."""

from __future__ import annotations

import queue
from typing import Any

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_sim.ros.mosaic import Groups, compose, decode_jpeg

TOPICS = {"overview": "/kuavo_sim/overview/compressed", **topics.CAMERA_TOPICS}
"""Of compressed images, by the name of their camera."""
TILE = (360, 480)


class Views:
    """Collects the images of all cameras of one stamp. `hear` is for threads, `next` for one."""

    def __init__(self) -> None:
        self._groups = Groups(tuple(TOPICS))
        self._complete: queue.Queue[tuple[int, dict[str, bytes]]] = queue.Queue(maxsize=100)

    def hear(self, message: Any, camera: str) -> None:
        """A sensor_msgs/CompressedImage of a camera."""
        stamp = message.header.stamp.to_nsec()
        group = self._groups.add(camera, stamp, bytes(message.data))
        if group is not None:
            self._complete.put((stamp, group))

    def next(self, limit: float) -> tuple[int, dict[str, bytes]]:
        """The next stamp [ns] with its JPEGs.

        Raises:
            queue.Empty: none within `limit` [s].
        """
        return self._complete.get(timeout=limit)


def picture(group: dict[str, bytes], text: str) -> np.ndarray:
    """All views of one stamp side by side, `text` below; see `compose`."""
    return compose({camera: decode_jpeg(group[camera]) for camera in TOPICS}, text, TILE)
