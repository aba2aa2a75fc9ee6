"""Camera images side by side in one video: grouped by stamp, labelled, encoded as H.264."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import av
import cv2
import numpy as np

_COLUMNS = 2
_BAR = 28
"""Height of the text line below the images [px]."""


class Groups:
    """Collects one image of each camera per stamp.

    Args:
        cameras: the names that make a group complete.
        keep: incomplete groups older than this many newer ones are dropped.
    """

    def __init__(self, cameras: Sequence[str], keep: int = 8) -> None:
        self._cameras, self._keep = tuple(cameras), keep
        self._open: dict[int, dict[str, bytes]] = {}

    def add(self, camera: str, stamp: int, payload: bytes) -> dict[str, bytes] | None:
        """One image; the whole group, by camera, when this was its last."""
        group = self._open.setdefault(stamp, {})
        group[camera] = payload
        if len(group) < len(self._cameras):
            for old in sorted(self._open)[: -self._keep]:
                del self._open[old]
            return None
        for old in [other for other in self._open if other <= stamp]:
            del self._open[old]
        return group


def compose(images: Mapping[str, np.ndarray], text: str, size: tuple[int, int]) -> np.ndarray:
    """A grid of images with their names, and a line of text below.

    Args:
        images: name → (h, w, 3) uint8 RGB, any sizes.
        text: Latin letters only.
        size: height and width of each tile [px].

    Returns:
        (rows · height + 28, 2 · width, 3) uint8 RGB.
    """
    height, width = size
    tiles = [_tile(name, image, size) for name, image in images.items()]
    tiles += [np.zeros((height, width, 3), np.uint8)] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[i : i + _COLUMNS]) for i in range(0, len(tiles), _COLUMNS)]
    bar = np.full((_BAR, width * _COLUMNS, 3), 24, np.uint8)
    _write(bar, text, (8, 19))
    return np.vstack([*rows, bar])


def _tile(name: str, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    tile = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    cv2.rectangle(tile, (0, 0), (9 * len(name) + 12, 22), (24, 24, 24), -1)
    _write(tile, name, (6, 16))
    return tile


def _write(image: np.ndarray, text: str, at: tuple[int, int]) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.48, (235, 235, 235), 1, cv2.LINE_AA)


class Video:
    """An H.264 MP4 at a steady rate; appears under its name only when it is complete.

    Args:
        path: must not exist.
        fps: images per second.

    Raises:
        FileExistsError: there is something at `path`.
    """

    def __init__(self, path: Path, fps: int) -> None:
        if path.exists():
            raise FileExistsError(f"{path} exists; a video is not overwritten")
        self._path, self._fps = path, fps
        self._partial = path.with_name(path.name + ".part")
        self._container = av.open(str(self._partial), "w", format="mp4")
        self._stream: av.VideoStream | None = None
        self._last: np.ndarray | None = None
        self._first_stamp = 0
        self.frames = 0

    def add(self, image: np.ndarray, stamp: int) -> None:
        """An image (H, W, 3) uint8 RGB at a stamp [ns]; gaps are filled with the image before."""
        if self._last is None:
            self._first_stamp = stamp
        index = round((stamp - self._first_stamp) * self._fps / 1e9)
        while self._last is not None and self.frames < index:
            self._encode(self._last)
        self._encode(image)
        self._last = image

    def close(self) -> None:
        """Finish the file."""
        if self._stream is not None:
            self._mux(self._stream.encode())
        self._container.close()
        os.replace(self._partial, self._path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._container.close()
        self._partial.unlink(missing_ok=True)

    def _encode(self, image: np.ndarray) -> None:
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=self._fps)
            self._stream.height, self._stream.width = image.shape[:2]
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"preset": "veryfast", "crf": "24"}
        self._mux(self._stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        self.frames += 1

    def _mux(self, packets: Iterable[av.Packet]) -> None:
        for packet in packets:
            self._container.mux(packet)


def decode_jpeg(payload: bytes) -> np.ndarray:
    """(H, W, 3) uint8 RGB.

    Raises:
        ValueError: not an image.
    """
    image = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("not a JPEG image")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
