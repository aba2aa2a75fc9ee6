"""Rotary positions as one complex product.

lerobot turns each head's halves against each other: (x₁, x₂) ↦ (x₁·cos − x₂·sin, x₂·cos + x₁·sin),
x₁ the first half. A dot product does not change when query and key are permuted alike, so the
rows of the projections are interleaved once, at load: each pair becomes neighbours, that is a
complex number, and turning it is multiplying it.
"""

from __future__ import annotations

import torch
from torch import Tensor

WAVELENGTH = 10_000.0
"""lerobot's, whatever the VLM's configuration says."""


def interleave(weight: Tensor, heads: int) -> Tensor:
    """Rows of a projection, shape (heads·D, in), so that halves become pairs."""
    width = weight.shape[0] // heads
    return weight.view(heads, 2, width // 2, -1).transpose(1, 2).reshape(weight.shape)


def interleave_columns(weight: Tensor, heads: int) -> Tensor:
    """Columns of a layer that reads interleaved vectors, shape (out, heads·D)."""
    return interleave(weight.t(), heads).t()


def turns(positions: Tensor, head_dim: int) -> Tensor:
    """Unit complex numbers, shape (*positions, 1, D/2): the angle of each pair at each position."""
    exponents = (2.0 / head_dim) * torch.arange(
        head_dim // 2, dtype=torch.float32, device=positions.device
    )
    angles = positions[..., None].to(torch.float32) / WAVELENGTH**exponents
    return torch.polar(torch.ones_like(angles), angles)[..., None, :]


def turned(x: Tensor, by: Tensor) -> Tensor:
    """Interleaved vectors, shape (B, S, heads, D), turned by `turns` (broadcast over heads)."""
    pairs = torch.view_as_complex(x.to(torch.float32).unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * by).flatten(-2).to(x.dtype)
