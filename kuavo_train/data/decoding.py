"""How videos are decoded: by LeRobot's decoders in training, here for checks and views."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np


@functools.cache
def decoder() -> str:
    """LeRobot's name of a decoder that works here: torchcodec where it loads, else pyav.

    torchcodec needs FFmpeg's shared libraries, which `make setup` installs where it may; PyAV
    brings its own.
    """
    try:
        import torchcodec.decoders  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        return "pyav"
    return "torchcodec"


def quiet() -> None:
    """Only FFmpeg's errors on the terminal."""
    av.logging.set_libav_level(av.logging.ERROR)


def decoded(file: Path, first: int, count: int) -> Iterator[np.ndarray]:
    """Frames `first` … `first + count` of a video of constant rate: (H, W, 3) uint8 RGB.

    They are fewer where the video ends earlier.

    Raises:
        OSError: the file is missing or no video.
    """
    quiet()
    try:
        with av.open(str(file)) as container:
            yield from _frames(container, first, count)
    except av.error.FFmpegError as error:
        raise OSError(f"{file}: {error.strerror}") from error


def _frames(container: av.container.InputContainer, first: int, count: int) -> Iterator[np.ndarray]:
    stream = container.streams.video[0]
    # FFmpeg's threads log through Python, which can lock up when they are closed
    stream.thread_type = "NONE"
    rate, tick = float(stream.average_rate or 1), float(stream.time_base or 1)
    container.seek(int(first / rate / tick), stream=stream)
    for frame in container.decode(stream):
        position = round(float(frame.pts or 0) * tick * rate)
        if position >= first + count:
            return
        if position >= first:
            yield frame.to_ndarray(format="rgb24")
