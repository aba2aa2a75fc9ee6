"""What a dataset holds: features, names, units, frame rate. The only place that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kuavo_deploy.robot import layout, topics

FPS = 10
ROBOT_TYPE = "kuavo"
UNITS = {
    "arms": "rad",
    "hands": "0 open ... 1 closed",
    "base_x, base_y": "m, odom frame",
    "base_yaw": "rad, odom frame",
    "move": "0 ... 1, above 0.5 the base moves and the arms hold",
    "depth": "mm = 256 * red + green",
}
ImageSizes = Mapping[str, tuple[int, int]]
"""Height and width [px] by camera or depth name of `topics`."""


def dataset_features(
    action_dim: int, images: ImageSizes, depth: ImageSizes | None = None
) -> dict[str, dict[str, Any]]:
    """The LeRobot features of a dataset whose actions have 16 or 20 numbers.

    Args:
        action_dim: 16, or 20 when the base walks.
        images: sizes of the cameras that are stored as video.
        depth: sizes of the depth images, stored losslessly (see `depth_to_rgb`).

    Raises:
        ValueError: a wrong `action_dim`, or a camera that the robot does not have.
    """
    features: dict[str, dict[str, Any]] = {
        topics.STATE_FEATURE: _vector(layout.STATE_NAMES),
        topics.ACTION_FEATURE: _vector(layout.action_names(action_dim)),
    }
    for name, size in images.items():
        features[_feature(topics.IMAGE_FEATURES, name)] = _image("video", size)
    for name, size in (depth or {}).items():
        features[_feature(topics.DEPTH_FEATURES, name)] = _image("image", size)
    return features


def depth_to_rgb(depth_mm: np.ndarray) -> np.ndarray:
    """Depth, shape (H, W) [mm], as an 8-bit RGB image: red × 256 + green is the depth.

    LeRobot keeps images of 8 bits and three channels; stored as PNG this one loses nothing.
    """
    depth_mm = np.asarray(depth_mm, dtype=np.uint16)
    return np.stack([depth_mm >> 8, depth_mm & 0xFF, np.zeros_like(depth_mm)], axis=-1).astype(
        np.uint8
    )


def depth_from_rgb(rgb: np.ndarray) -> np.ndarray:
    """The inverse of `depth_to_rgb`: shape (H, W), uint16 [mm]."""
    rgb = np.asarray(rgb)
    return (rgb[..., 0].astype(np.uint16) << 8) | rgb[..., 1].astype(np.uint16)


def _vector(names: tuple[str, ...]) -> dict[str, Any]:
    return {"dtype": "float32", "shape": (len(names),), "names": list(names)}


def _image(kind: str, size: tuple[int, int]) -> dict[str, Any]:
    height, width = size
    return {
        "dtype": kind,
        "shape": (int(height), int(width), 3),
        "names": ["height", "width", "channels"],
    }


def _feature(known: Mapping[str, str], name: str) -> str:
    if name not in known:
        raise ValueError(f"unknown camera {name!r}: choose from {', '.join(known)}")
    return known[name]
