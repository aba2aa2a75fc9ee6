"""From a camera message's bytes to pixels."""

from __future__ import annotations

import cv2
import numpy as np

from kuavo_train.data.bags.errors import BagRefused

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def decode_color(data: np.ndarray, topic: str) -> np.ndarray:
    """A compressed colour image as uint8 RGB, shape (H, W, 3).

    Raises:
        BagRefused: the bytes are no image.
    """
    image = cv2.imdecode(np.asarray(data, dtype=np.uint8), cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise BagRefused(f"{topic}: an image that a frame needs cannot be decoded")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def decode_depth(data: np.ndarray, topic: str) -> np.ndarray:
    """A `compressedDepth` image as uint16 [mm], shape (H, W): a PNG behind a short header.

    Raises:
        BagRefused: no PNG in it, or not one of 16 bits.
    """
    content = np.asarray(data, dtype=np.uint8)
    start = content.tobytes().find(PNG_MAGIC)
    image = None if start < 0 else cv2.imdecode(content[start:], cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint16 or image.ndim != 2:
        raise BagRefused(f"{topic}: a depth image that a frame needs is not a 16-bit PNG")
    return image


def resized(image: np.ndarray, size: tuple[int, int], nearest: bool = False) -> np.ndarray:
    """`image` at `size` (height, width); depth is never averaged over edges (`nearest`)."""
    if image.shape[:2] == tuple(size):
        return image
    method = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA
    return cv2.resize(image, (size[1], size[0]), interpolation=method)
