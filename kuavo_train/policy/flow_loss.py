"""The training loss: flow matching over what was recorded, divided by how much that was.

    x_t = t·noise + (1 − t)·action,  target velocity = noise − action,  mean squared error

Counted are steps inside the episode (`action_is_pad` false) and the dimensions that the caller
names; nothing else enters the sum or the divisor. Shapes: B samples, T steps of a chunk, D = 20
robot dimensions of the 32 that the model carries.

Noise and times are arguments and come from a counter (seed, step), never from a global random
state: two runs, a resumed run, or two processes sharing a batch draw the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kuavo_train.cache.live import (
    PREFIX,
    TOKENS,
    TOKENS_MASK,
    errors_beside_prefix,
    seen_images,
)
from kuavo_train.policy.action_space import UNIFIED_DIM
from kuavo_train.policy.seeds import mixed_seed

LOSS_VERSION = "flow-mse/inside-episode/20-dims/1"


@dataclass(frozen=True)
class Draws:
    """What flow matching draws. noise: (B, T, 32), zero beyond the robot's 20; time: (B,)."""

    noise: Tensor
    time: Tensor

    def rows(self, rows: slice) -> Draws:
        """The draws of some samples of the batch."""
        return Draws(self.noise[rows], self.time[rows])

    def to(self, device: torch.device | str) -> Draws:
        """The same on another device."""
        return Draws(self.noise.to(device), self.time.to(device))


def draw(batch: int, steps: int, width: int, *seed: int) -> Draws:
    """Noise ~ N(0, 1) and time ~ Beta(1.5, 1)·0.999 + 0.001, as SmolVLA trains with.

    Args:
        batch: B.
        steps: T.
        width: dimensions that the model carries (32).
        seed: any integers; the same ones give the same numbers on every machine.
    """
    generator = torch.Generator().manual_seed(mixed_seed(*seed))
    noise = torch.randn(batch, steps, width, generator=generator)
    noise[..., UNIFIED_DIM:] = 0
    # Beta(1.5, 1) has the distribution function x^1.5; this is its inverse.
    time = torch.rand(batch, generator=generator) ** (1 / 1.5)
    return Draws(noise, time * 0.999 + 0.001)


class FlowLoss(nn.Module):
    """lerobot's SmolVLA with the loss above. A module, so that DDP can wrap it."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, batch: dict[str, Any], draws: Draws, counted: Tensor) -> Tensor:
        """Squared errors summed per sample over what is counted. Shape (B,).

        Args:
            batch: a preprocessed batch (see `preprocessing`), or with cached values in place of
                its images (see `kuavo_train.cache`).
            draws: this batch's noise and times.
            counted: shape (B, T, 20), bool.
        """
        errors = self._errors(batch, draws)
        kept = torch.where(counted, errors[..., :UNIFIED_DIM], 0.0)
        return kept.sum(dim=(1, 2))

    def _errors(self, batch: dict[str, Any], draws: Draws) -> Tensor:
        policy = self.policy
        if PREFIX in batch:
            return errors_beside_prefix(policy, batch[PREFIX], batch, draws.noise, draws.time)
        images, image_masks = seen_images(policy, batch) or policy.prepare_images(batch)
        errors: Tensor = policy.model.forward(
            images,
            image_masks,
            batch[TOKENS],
            batch[TOKENS_MASK],
            policy.prepare_state(batch),
            policy.prepare_action(batch),
            draws.noise,
            draws.time,
        )
        return errors


def counted_elements(is_pad: Tensor, dims: Tensor) -> Tensor:
    """What the loss counts. Shape (B, T, 20), bool.

    Args:
        is_pad: (B, T), true past the episode's end.
        dims: (20,) or (B, 20), true for the dimensions that count.
    """
    dims = dims if dims.ndim == 2 else dims[None].expand(is_pad.shape[0], -1)
    return ~is_pad[:, :, None] & dims[:, None, :].to(is_pad.device)
