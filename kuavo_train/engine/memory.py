"""Keys and values of a chunk, in buffers that live as long as its shape stays.

Key-value heads are stored once per query head, so that attention needs no grouping.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kuavo_train.engine.shapes import Shapes


@dataclass(frozen=True)
class KeyValues:
    """keys, values: shape (B, H, S, D)."""

    keys: Tensor
    values: Tensor

    @classmethod
    def zeros(
        cls, batch: int, length: int, shapes: Shapes, dtype: torch.dtype, device: torch.device
    ) -> KeyValues:
        """Empty buffers for S = `length`."""
        size = (batch, shapes.heads, length, shapes.head_dim)
        return cls(*(torch.zeros(size, dtype=dtype, device=device) for _ in range(2)))

    def put(self, keys: Tensor, values: Tensor, start: int) -> None:
        """Write tokens, shape (B, n, G, D), from position `start` on."""
        _repeat_into(self.keys, keys, start)
        _repeat_into(self.values, values, start)

    def first(self, length: int) -> KeyValues:
        """A view of the first tokens."""
        return KeyValues(self.keys[:, :, :length], self.values[:, :, :length])


def _repeat_into(buffer: Tensor, tokens: Tensor, start: int) -> None:
    kv_heads, count = tokens.shape[2], tokens.shape[1]
    target = buffer[:, :, start : start + count].unflatten(1, (kv_heads, -1))
    target.copy_(tokens.transpose(1, 2)[:, :, None])
