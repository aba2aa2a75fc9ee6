"""What may be kept, from the least to the most: decoded frames, vision embeddings, the prefix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from kuavo_train.cache import live
from kuavo_train.cache.key import combined, episodes_of, recordings_hash, weights_hash
from kuavo_train.checkpoint.processors import tokenizer_of
from kuavo_train.episodes.augmentation import Augmentation
from kuavo_train.episodes.samples import Draw, Samples
from kuavo_train.episodes.table import CAMERA_FEATURES, EpisodeTable
from kuavo_train.errors import TrainingError
from kuavo_train.policy.freezing import VLM_PREFIX
from kuavo_train.policy.preprocessing import TASK

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Kind(Protocol):
    """Something that is kept of every frame."""

    @property
    def name(self) -> str:
        """Of the kind."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Of the stored numbers."""
        ...

    @property
    def views(self) -> int:
        """Variants of each frame."""
        ...

    def key(self, table: EpisodeTable, view: int) -> str:
        """A hash of all that a task's rows depend on."""
        ...

    def setting(self, table: EpisodeTable, view: int) -> str:
        """The same but for the recordings."""
        ...

    def source(self, table: EpisodeTable) -> Dataset:
        """`Draw` (its seed is the view) → what `compute` takes, one sample."""
        ...

    def compute(self, raw: dict[str, Any]) -> dict[str, Tensor]:
        """A batch of samples → the batch's keys and values, (B, …) each."""
        ...


@dataclass(frozen=True)
class Frames:
    """Decoded images, as recorded: valid for every policy and augmentation."""

    name: str = "frames"
    dtype: torch.dtype = torch.uint8
    views: int = 1

    def key(self, table: EpisodeTable, view: int) -> str:
        """The recordings alone."""
        return combined(self.name, recordings_hash(table))

    def setting(self, table: EpisodeTable, view: int) -> str:
        """Decoded images depend on nothing else."""
        return combined(self.name)

    def source(self, table: EpisodeTable) -> Dataset:
        """Images as the dataset gives them."""
        return _Images(table)

    def compute(self, raw: dict[str, Any]) -> dict[str, Tensor]:
        """Back to the bytes that the decoder gave; exact."""
        return {name: (image * 255).round().to(torch.uint8) for name, image in raw.items()}


class FrozenPart:
    """What a frozen part of the policy makes of a frame: `vision` or `prefix`.

    Args:
        name: of the kind.
        policy: taught (see `live`), with its freezing applied.
        preprocess: the policy's pipeline.
        augmentation: of training; with `views` where it is on.
        dtype: of the stored numbers.

    Raises:
        TrainingError: the part learns, or the images change at random.
    """

    def __init__(
        self,
        name: str,
        policy: Any,
        preprocess: Any,
        augmentation: Augmentation,
        dtype: torch.dtype,
    ) -> None:
        self.name, self.dtype = name, dtype
        self.views = (augmentation.views or 1) if augmentation.enabled else 1
        self._policy, self._preprocess = policy, preprocess
        self._augmentation = augmentation
        self._check()
        self._weights = weights_hash(self._tensors().items())

    def key(self, table: EpisodeTable, view: int) -> str:
        """Weights, recordings, instruction, pictures."""
        return combined(self.setting(table, view), recordings_hash(table))

    def setting(self, table: EpisodeTable, view: int) -> str:
        """Weights, instruction, pictures."""
        config = self._policy.config
        seen_as = self._augmentation if self._augmentation.enabled else None
        told = self._tokens(table.task.instruction) if self.name == "prefix" else None
        return combined(
            self.name, self._weights, view, seen_as, str(self.dtype),
            config.resize_imgs_with_padding, told,
        )  # fmt: skip

    def source(self, table: EpisodeTable) -> Dataset:
        """Samples as training draws them."""
        width, height = self._policy.config.resize_imgs_with_padding
        size = (int(width), int(height))
        return Samples({table.task.name: table}, 1, size, self._augmentation)

    def compute(self, raw: dict[str, Any]) -> dict[str, Tensor]:
        """Run the frozen part."""
        self._policy.eval()
        batch = self._preprocess(raw)
        if self.name == "prefix":
            return {live.PREFIX: live.prefix(self._policy, batch)}
        images, _ = self._policy.prepare_images(batch)
        return {
            live.seen_name(camera): live.seen(self._policy, image)
            for camera, image in zip(self._policy.config.image_features, images, strict=True)
        }

    def _tensors(self) -> Mapping[str, Tensor]:
        """The weights that the values depend on."""
        vision = ("model.vision_model.", "model.connector.")
        return {
            name: tensor
            for name, tensor in self._policy.state_dict().items()
            if name.startswith(VLM_PREFIX)
            and (self.name == "prefix" or name[len(VLM_PREFIX) :].startswith(vision))
            and not (self.name == "vision" and ".connector." in name and self._connector_learns())
        }

    def _tokens(self, instruction: str) -> list[int]:
        limit = self._policy.config.tokenizer_max_length
        tokens = tokenizer_of(self._preprocess)(instruction)["input_ids"]
        return [*map(int, tokens), limit]

    def _connector_learns(self) -> bool:
        return not live.connector_is_frozen(self._policy)

    def _check(self) -> None:
        if self._augmentation.enabled and not self._augmentation.views:
            raise TrainingError(
                f"cache={self.name} keeps what the policy makes of an image, and augmentation "
                "changes it each time: set augmentation.views=4 (so many fixed variants), or "
                "choose cache=frames"
            )
        part = VLM_PREFIX + ("model.vision_model." if self.name == "vision" else "")
        learns = [
            name
            for name, parameter in self._policy.named_parameters()
            if name.startswith(part) and parameter.requires_grad
        ]
        if learns:
            needed = "vision_encoder=true" if self.name == "vision" else "expert_only=true"
            raise TrainingError(
                f"cache={self.name} keeps what frozen weights compute, but {learns[0]} (and "
                f"{len(learns) - 1} more) are trained: set freezing.{needed}, or choose "
                f"{'cache=frames' if self.name == 'vision' else 'cache=vision or cache=frames'}"
            )
        if self.name == "prefix" and self._policy.model.prefix_length > 0:
            raise TrainingError("cache=prefix needs a policy without prefix_length padding")


class _Images(Dataset):
    def __init__(self, table: EpisodeTable) -> None:
        self._table = table

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        images = self._table.frame_images(draw.row)
        return {name: images[name] for name in CAMERA_FEATURES}


def describe(kind: Kind, table: EpisodeTable, view: int) -> dict[str, Any]:
    """For a person who finds the folder."""
    return {
        "kind": kind.name,
        TASK: table.task.name,
        "recordings": str(table.root),
        "view": view,
        "setting": kind.setting(table, view),
        "episodes": episodes_of(table),
        "dtype": str(kind.dtype),
        "safe to remove": "yes, it is computed again",
    }
