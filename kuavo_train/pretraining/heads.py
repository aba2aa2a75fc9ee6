"""Auxiliary heads of pretraining: where the named thing is, what every patch shows.

Shapes: N queries, M things that a phrase may name, C cameras, G image tokens a camera (a square
grid), D the VLM's width; B frames, P patches a camera, V the image encoder's width, K classes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


class Pointed(NamedTuple):
    """Of each thing named, by its turn in the phrase.

    places: (N, M, C, 2) in −1 … 1. logits: (N, M, C, G + 1), the last one 'not in this picture'.
    """

    places: Tensor
    logits: Tensor

    @property
    def seen(self) -> Tensor:
        """Probability that the thing is in the picture, (N, M, C)."""
        return 1 - self.logits.softmax(dim=-1)[..., -1]


def middles(side: int) -> Tensor:
    """Of the cells of a square grid, row by row: (side², 2), x and y in −1 … 1."""
    middle = (torch.arange(side) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


class PointingHead(nn.Module):
    """Softmax over image tokens; the expected grid place plus a small offset of each token.

    One for each turn in a phrase, so that features tell what is named first from what comes after.
    """

    def __init__(self, width: int, side: int, mentions: int) -> None:
        super().__init__()
        self.side = side
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, mentions)
        self.offset = nn.Linear(width, 2 * mentions)
        self.absent = nn.Parameter(torch.zeros(mentions))
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)
        self.register_buffer("grid", middles(side))

    def forward(self, tokens: Tensor) -> Pointed:
        """tokens: (N, C, G, D), the VLM's features at the image tokens."""
        tokens = self.norm(tokens)
        score = self.score(tokens).permute(0, 3, 1, 2)
        absent = self.absent[:, None, None].expand(*score.shape[:3], 1)
        offset = torch.tanh(self.offset(tokens)) * (2.0 / self.side)
        offset = offset.unflatten(-1, (-1, 2)).permute(0, 3, 1, 2, 4)
        weight = score.softmax(dim=-1).unsqueeze(-1)
        places = (weight * (self.grid + offset)).sum(dim=3)
        return Pointed(places, torch.cat([score, absent], dim=-1))


def pointing_loss(pointed: Pointed, places: Tensor, visible: Tensor, side: int) -> Tensor:
    """Distance from the places that can be seen, and cross-entropy of the token that has it.

    Args:
        pointed: the model's answers about K things: places (K, C, 2), logits (K, C, G + 1).
        places: (K, C, 2).
        visible: (K, C) bool.
        side: tokens along an edge.

    Returns:
        The mean over things and cameras.
    """
    cell = ((places + 1) / 2 * side).long().clamp(0, side - 1)
    target = torch.where(visible, cell[..., 1] * side + cell[..., 0], side * side)
    which = functional.cross_entropy(pointed.logits.flatten(0, 1), target.flatten())
    away = torch.where(visible, distance(pointed.places, places), 0.0)
    where = away.sum() / visible.sum().clamp(min=1)
    return WHERE_WEIGHT * where + WHICH_WEIGHT * which


WHERE_WEIGHT, WHICH_WEIGHT = 2.0, 0.3
SOFT = 0.02
"""A pixel: distances below it count by their square."""


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Between places (…, 2): pseudo-Huber, (…).

    The square's gradient is gone long before the error is small enough for a hand.
    """
    return ((one - other).square().sum(dim=-1) + SOFT**2).sqrt() - SOFT


class VoteHead(nn.Module):
    """Every patch says where the middle of the thing is that it shows, from its image token.

    So the connector, which makes one token of 2×2 patches, has to keep what is finer than itself.
    """

    def __init__(self, width: int, side: int, scale: int) -> None:
        super().__init__()
        self.side, self.scale = side, scale
        self.norm = nn.LayerNorm(width)
        self.vote = nn.Linear(width, 2 * scale * scale)
        nn.init.zeros_(self.vote.weight)
        nn.init.zeros_(self.vote.bias)
        self.register_buffer("grid", middles(side * scale))

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (M, G, D), from the connector → places (M, P, 2) in −1 … 1, row by row."""
        each = self.vote(self.norm(tokens))
        each = each.view(-1, self.side, self.side, self.scale, self.scale, 2)
        return self.grid + each.transpose(2, 3).flatten(1, 4)


def vote_loss(votes: Tensor, grid: Tensor, kinds: Tensor, middles: Tensor, shows: Tensor) -> Tensor:
    """Distance of the votes from the nearest thing of the kind that a patch shows, mean.

    Args:
        votes: (M, P, 2).
        grid: (P, 2), the patches' own middles.
        kinds: (M, N) class of each thing, −1 for none.
        middles: (M, N, 2), NaN where a thing cannot be seen.
        shows: (M, P) class that a patch shows most, −1 where nothing counts.
    """
    apart = (grid[None, :, None] - middles[:, None]).square().sum(dim=-1)
    alike = (kinds[:, None] == shows[..., None]) & (shows[..., None] >= 0) & ~apart.isnan()
    apart = torch.where(alike, apart, torch.inf)
    least, nearest = apart.min(dim=-1)
    counted = least.isfinite()
    target = middles.gather(1, nearest[..., None].expand(-1, -1, 2))
    return distance(votes[counted], target[counted]).sum() / counted.sum().clamp(min=1)


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
