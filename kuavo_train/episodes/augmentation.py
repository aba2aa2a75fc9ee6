"""Random changes of the images in training: colour and a small shift. Off by default.

Each sample draws from its own seed, so that a resumed or distributed run sees the same pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """How far images may change.

    brightness, contrast, saturation: factors in 1 ± value. shift: up to this part of the image's
    side, edges repeated.
    """

    enabled: bool = False
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    shift: float = 0.03

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
