"""One episode on its way into a dataset: written as a LeRobot dataset of its own.

Workers write episodes side by side; `assemble` joins them in order. The joined dataset is the
same whoever wrote which episode.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

from kuavo_deploy.robot import topics
from kuavo_train.data import video
from kuavo_train.data.features import FPS, ROBOT_TYPE, ImageSizes, dataset_features, depth_to_rgb
from kuavo_train.tasks import Task

DATASET_FOLDER = "dataset"


class Frame(NamedTuple):
    """What one control period holds.

    state: shape (16,), observed at the frame's time. action: shape (16,) or (20,), the command
    in force one period later. images: uint8 (H, W, 3) RGB by camera. depth: uint16 (H, W) [mm].
    """

    state: np.ndarray
    action: np.ndarray
    images: Mapping[str, np.ndarray]
    depth: Mapping[str, np.ndarray] = {}


class EpisodeDataset:
    """Writes frames into `folder`/dataset, a LeRobot dataset of one episode.

    Args:
        folder: an existing folder.
        task: gives the instruction and the length of the action.
        images: sizes of the cameras' images.
        depth: sizes of the depth images, none by default.
    """

    def __init__(
        self, folder: Path, task: Task, images: ImageSizes, depth: ImageSizes | None = None
    ) -> None:
        datasets.disable_progress_bars()
        self._task = task
        self._hash = hashlib.sha256(task.instruction.encode())
        self._dataset = LeRobotDataset.create(
            repo_id=repo_id(task),
            fps=FPS,
            root=folder / DATASET_FOLDER,
            robot_type=ROBOT_TYPE,
            features=dataset_features(task.action_dim, images, depth),
            vcodec=video.CODEC,
            # nothing is read here, and loading torchcodec would cost 40 MB
            video_backend="pyav",
        )
        if images:
            self._dataset._streaming_encoder = video.VideoEncoder(FPS)
        self.length = 0

    def add(self, frame: Frame) -> None:
        """Append a frame.

        Raises:
            ValueError: a number is not finite, or a shape is not the dataset's.
        """
        state = np.asarray(frame.state, dtype=np.float32)
        action = np.asarray(frame.action, dtype=np.float32)
        for name, vector in (("state", state), ("action", action)):
            if not np.isfinite(vector).all():
                raise ValueError(f"frame {self.length}: the {name} is not finite: {vector}")
        content: dict[str, Any] = {
            topics.STATE_FEATURE: state,
            topics.ACTION_FEATURE: action,
            "task": self._task.instruction,
        }
        for name, image in frame.images.items():
            content[topics.IMAGE_FEATURES[name]] = image
        for name, depth in frame.depth.items():
            content[topics.DEPTH_FEATURES[name]] = depth_to_rgb(depth)
        self._dataset.add_frame(content)
        self._hash.update(state.tobytes() + action.tobytes())
        self.length += 1

    def finish(self) -> dict[str, Any]:
        """Close the dataset; gives the episode's length and hash for its metadata.

        Raises:
            ValueError: fewer than two frames.
        """
        if self.length < 2:
            raise ValueError(f"an episode needs two frames or more, this one has {self.length}")
        self._dataset.save_episode()
        self._dataset.finalize()
        return {"length": self.length, "sha256": self._hash.hexdigest()}

    def abandon(self) -> None:
        """Close the videos; the folder is the caller's to delete."""
        self._dataset.clear_episode_buffer()


def repo_id(task: Task) -> str:
    """The name that LeRobot wants for a dataset; nothing is ever uploaded."""
    return f"kuavo/{task.name}"
