"""Random changes of the images in training: colour and a small shift. Off by default.

Each sample draws from its own seed, so that a resumed or distributed run sees the same pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

from kuavo_train.policy.seeds import mixed_seed


@dataclass(frozen=True)
class Augmentation:
    """How far images may change.

    brightness, contrast, saturation: factors in 1 ± value. shift: up to this part of the image's
    side, edges repeated. views: so many fixed variants of each frame instead of new ones each
    time, so that what a frozen part makes of them can be cached.
    """

    enabled: bool = False
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    shift: float = 0.03
    views: int | None = None

    def view(self, seed: int) -> int:
        """Which of the fixed variants a sample shows."""
        return seed % self.views if self.enabled and self.views else 0

    def seed(self, row: int, seed: int) -> int:
        """The seed of a sample's changes: its own, or that of a fixed variant of its row."""
        return seed if self.views is None else mixed_seed(row, self.view(seed))

    def __call__(self, image: Tensor, seed: int) -> Tensor:
        """Change one image, float (3, H, W) in 0…1."""
        if not self.enabled:
            return image
        generator = torch.Generator().manual_seed(seed)
        image = self._colours(image, generator)
        return self._shifted(image, generator).clamp(0, 1)

    def _colours(self, image: Tensor, generator: torch.Generator) -> Tensor:
        def factor(limit: float) -> Tensor:
            return 1 + limit * (2 * torch.rand((), generator=generator) - 1)

        image = image * factor(self.brightness)
        image = image.mean() + (image - image.mean()) * factor(self.contrast)
        grey = image.mean(dim=0, keepdim=True)
        return grey + (image - grey) * factor(self.saturation)

    def _shifted(self, image: Tensor, generator: torch.Generator) -> Tensor:
        height, width = image.shape[1:]
        reach = (int(self.shift * height), int(self.shift * width))
        if reach == (0, 0):
            return image
        down, right = (
            int(torch.randint(2 * limit + 1, (), generator=generator)) for limit in reach
        )
        padding = (reach[1], reach[1], reach[0], reach[0])
        padded = functional.pad(image[None], padding, mode="replicate")[0]
        return padded[:, down : down + height, right : right + width]
