"""Training samples: a frame's images and state, the instruction, the action chunk that follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from kuavo_deploy.robot.topics import ACTION_FEATURE, STATE_FEATURE
from kuavo_train.episodes.augmentation import Augmentation
from kuavo_train.episodes.table import CAMERA_FEATURES, EpisodeTable
from kuavo_train.errors import DataError
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


class Kept(Protocol):
    """What the frozen part of the policy made of a row's images, in place of them."""

    def __call__(self, row: int, view: int) -> Mapping[str, Tensor]:
        """The batch's keys and values of a variant of a row."""
        ...


class Samples(Dataset):
    """Draws of several tasks → samples, each with its own task's instruction.

    A sample: the three images (3, height, width), or what is kept of them; `observation.state`
    (16,), `task` text, `action` (steps, 20), `action_is_pad` (steps,), `recorded_dims` (20,),
    `origin` (a `Draw`).
    """

    def __init__(
        self,
        tables: Mapping[str, EpisodeTable],
        steps: int,
        size: tuple[int, int],
        augmentation: Augmentation | None = None,
        images: Mapping[str, Images] | None = None,
        kept: Mapping[str, Kept] | None = None,
    ) -> None:
        self._tables = dict(tables)
        self._steps = steps
        self._size = size
        self._augmentation = augmentation or Augmentation()
        self._kept = dict(kept or {})
        self._images = images or {name: table.frame_images for name, table in tables.items()}

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        """The sample of a draw."""
        table = self._tables[draw.task]
        observation = {STATE_FEATURE: table.states[draw.row], TASK: table.task.instruction}
        if draw.task in self._kept:
            sample = observation_tensors(observation, (), self._size)
            sample.update(self._kept[draw.task](draw.row, self._augmentation.view(draw.seed)))
        else:
            observation.update(self._read_images(draw))
            sample = observation_tensors(observation, CAMERA_FEATURES, self._size)
            seed = self._augmentation.seed(draw.row, draw.seed)
            for index, camera in enumerate(CAMERA_FEATURES):
                sample[camera] = self._augmentation(sample[camera], seed + index)
        actions, is_pad = table.chunk(draw.row, self._steps)
        sample[ACTION_FEATURE] = torch.from_numpy(np.ascontiguousarray(actions))
        sample[IS_PAD] = torch.from_numpy(is_pad)
        sample[RECORDED] = recorded_dims(table.task.action_dim)
        sample[ORIGIN] = draw
        return sample

    def actions(self, draw: Draw) -> np.ndarray:
        """The action chunk of a draw, robot units. Shape (steps, 20)."""
        return self._tables[draw.task].chunk(draw.row, self._steps)[0]

    def _read_images(self, draw: Draw) -> Mapping[str, Any]:
        try:
            return self._images[draw.task](draw.row)
        except Exception as error:  # every decoder has its own
            table = self._tables[draw.task]
            raise DataError(
                f"{table.locate(draw.row)}: its images cannot be read from {table.root} ({error}); "
                "see kuavo data check, and record or convert the dataset again"
            ) from error
