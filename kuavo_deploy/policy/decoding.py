"""From a camera's JPEG to the pixels that training saw: the converter's own decoder."""

from __future__ import annotations

import numpy as np

from kuavo_train.data.bags.images import decode_color


def decode(jpeg: bytes, camera: str) -> np.ndarray:
    """uint8 RGB, shape (H, W, 3).

    Raises:
        ValueError: the bytes are no image.
    """
    return decode_color(np.frombuffer(jpeg, np.uint8), camera)
