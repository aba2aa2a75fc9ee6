"""Depth images as ROS's compressedDepth transport writes them: a short header, then a PNG."""

from __future__ import annotations

import struct

import cv2
import numpy as np

_HEADER = struct.pack("<iff", 0, 0.0, 0.0)
"""Format and two parameters that only inverse-depth images use."""
_MAX_MM = 65535


def encode_depth(metres: np.ndarray, furthest: float = 10.0) -> bytes:
    """16-bit PNG in mm behind the header.

    Args:
        metres: (H, W) distance along the camera's axis [m].
        furthest: beyond it the camera sees nothing and says 0 [m].
    """
    millimetres = np.clip(np.rint(metres * 1000.0), 0, _MAX_MM)
    millimetres[metres > furthest] = 0
    # level 1: a tenth of the default's time for a few percent more bytes
    done, png = cv2.imencode(
        ".png", millimetres.astype(np.uint16), [cv2.IMWRITE_PNG_COMPRESSION, 1]
    )
    if not done:
        raise RuntimeError("OpenCV could not encode a depth image")
    return _HEADER + png.tobytes()
