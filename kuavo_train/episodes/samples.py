"""Training samples: a frame's images and state, the instruction, the action chunk that follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from kuavo_deploy.robot.topics import ACTION_FEATURE, STATE_FEATURE
from kuavo_train.episodes.augmentation import Augmentation
from kuavo_train.episodes.table import CAMERA_FEATURES, EpisodeTable
from kuavo_train.policy.action_space import recorded_dims
from kuavo_train.policy.preprocessing import TASK, observation_tensors

IS_PAD = "action_is_pad"
RECORDED = "recorded_dims"
ORIGIN = "origin"


class Draw(NamedTuple):
    """One sample to fetch: task name, row of its table, seed of its augmentation."""

    task: str
    row: int
    seed: int


class Images(Protocol):
    """Where a row's camera images come from: the dataset, or a cache in front of it."""

    def __call__(self, row: int) -> Mapping[str, Any]:
        """The three images of a row."""
        ...


class Samples(Dataset):
    """Draws of several tasks → samples, each with its own task's instruction.

    A sample: the three images (3, height, width), `observation.state` (16,), `task` text,
    `action` (steps, 20), `action_is_pad` (steps,), `recorded_dims` (20,), `origin` (a `Draw`).
    """

    def __init__(
        self,
        tables: Mapping[str, EpisodeTable],
        steps: int,
        size: tuple[int, int],
        augmentation: Augmentation | None = None,
        images: Mapping[str, Images] | None = None,
    ) -> None:
        self._tables = dict(tables)
        self._steps = steps
        self._size = size
        self._augmentation = augmentation or Augmentation()
        self._images = images or {name: table.frame_images for name, table in tables.items()}

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        """The sample of a draw."""
        table = self._tables[draw.task]
        observation = {
            **self._images[draw.task](draw.row),
            STATE_FEATURE: table.states[draw.row],
            TASK: table.task.instruction,
        }
        sample = observation_tensors(observation, CAMERA_FEATURES, self._size)
        for index, camera in enumerate(CAMERA_FEATURES):
            sample[camera] = self._augmentation(sample[camera], draw.seed + index)
        actions, is_pad = table.chunk(draw.row, self._steps)
        sample[ACTION_FEATURE] = torch.from_numpy(np.ascontiguousarray(actions))
        sample[IS_PAD] = torch.from_numpy(is_pad)
        sample[RECORDED] = recorded_dims(table.task.action_dim)
        sample[ORIGIN] = draw
        return sample
