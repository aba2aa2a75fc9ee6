"""Auxiliary heads of pretraining: where the named thing is, what every patch shows.

Shapes: N queries, C cameras, G image tokens a camera (a square grid), D the VLM's width; B frames,
P patches a camera, V the image encoder's width, K classes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


class Pointed(NamedTuple):
    """places: (N, C, 2) in −1 … 1. logits: (N, C, G + 1), the last one 'not in this picture'."""

    places: Tensor
    logits: Tensor

    @property
    def seen(self) -> Tensor:
        """Probability that the thing is in the picture, (N, C)."""
        return 1 - self.logits.softmax(dim=-1)[..., -1]


class PointingHead(nn.Module):
    """Softmax over image tokens; the expected grid place plus a small offset of each token."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)
        self.offset = nn.Linear(width, 2)
        self.absent = nn.Parameter(torch.zeros(1))
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)
        middle = (torch.arange(side) + 0.5) / side * 2 - 1
        y, x = torch.meshgrid(middle, middle, indexing="ij")
        self.register_buffer("grid", torch.stack([x.flatten(), y.flatten()], dim=1))

    def forward(self, tokens: Tensor) -> Pointed:
        """tokens: (N, C, G, D), the VLM's features at the image tokens."""
        tokens = self.norm(tokens)
        score = self.score(tokens).squeeze(-1)
        absent = self.absent.expand(*score.shape[:2], 1)
        offset = torch.tanh(self.offset(tokens)) * (2.0 / self.side)
        weight = score.softmax(dim=-1).unsqueeze(-1)
        places = (weight * (self.grid + offset)).sum(dim=2)
        return Pointed(places, torch.cat([score, absent], dim=-1))


def pointing_loss(pointed: Pointed, places: Tensor, visible: Tensor, side: int) -> Tensor:
    """Squared error of the places that can be seen, and cross-entropy of the token that has it.

    Args:
        pointed: the model's answers.
        places: (N, C, 2).
        visible: (N, C) bool.
        side: tokens along an edge.

    Returns:
        The mean over queries and cameras.
    """
    cell = ((places + 1) / 2 * side).long().clamp(0, side - 1)
    target = torch.where(visible, cell[..., 1] * side + cell[..., 0], side * side)
    which = functional.cross_entropy(pointed.logits.flatten(0, 1), target.flatten())
    squared = (pointed.places - places).square().sum(dim=-1)
    where = torch.where(visible, squared, 0.0).sum() / visible.sum().clamp(min=1)
    return WHERE_WEIGHT * where + WHICH_WEIGHT * which


WHERE_WEIGHT, WHICH_WEIGHT = 2.0, 0.3


class ClassHead(nn.Linear):
    """From an encoder's patch to the shares of classes in it: (…, V) → logits (…, K)."""


def class_shares(classes: Tensor, patch: int, count: int) -> tuple[Tensor, Tensor]:
    """What patches show.

    Args:
        classes: (M, S, S) long; `count` and above (padding) does not count.
        patch: side of a patch [px].
        count: K.

    Returns:
        Shares (M, P, count), summing to one where anything counts, and whether it does, (M, P).
    """
    # every second pixel in both directions says enough of a patch
    classes, patch = classes[..., 1::2, 1::2], patch // 2
    side = classes.shape[-1] // patch
    valid = classes < count
    one_hot = functional.one_hot(classes.clamp(max=count), count + 1)[..., :count].float()
    cut = one_hot.view(-1, side, patch, side, patch, count).mean(dim=(2, 4)).flatten(1, 2)
    counted = valid.view(-1, side, patch, side, patch).float().mean(dim=(2, 4)).flatten(1, 2)
    return cut / counted.clamp(min=1e-6)[..., None], counted > 0.5


def class_loss(logits: Tensor, shares: Tensor, counted: Tensor) -> Tensor:
    """Cross-entropy with shares as soft targets, mean over patches that count."""
    each = -(shares * logits.log_softmax(dim=-1)).sum(dim=-1)
    return each[counted].mean()
