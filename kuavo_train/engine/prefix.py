"""Image and language tokens, then the state's one token, through the VLM's layers.

Image and language tokens never attend to the state, so they are computed without it; the state's
token follows alone, over their keys and values. Of the last layer only keys and values are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from kuavo_train.engine import decoder
from kuavo_train.engine.linear import Layers, Linear, Weights
from kuavo_train.engine.memory import KeyValues
from kuavo_train.engine.rotary import turned
from kuavo_train.engine.shapes import Shapes


@dataclass(frozen=True)
class _Layer:
    qkv: Linear
    out: Linear
    mlp: decoder.Mlp
    eps: float


@dataclass(frozen=True)
class _Last:
    kv: Linear
    eps: float


@dataclass(frozen=True)
class _Cross:
    """What an expert's layer makes of the VLM's keys and values."""

    keys: Linear
    values: Linear


@dataclass(frozen=True)
class PrefixMemory:
    """own: the VLM's keys and values, by layer but the last. read: what the expert reads, by layer.

    In a layer where the expert looks at itself too, both are one buffer.
    """

    own: list[KeyValues]
    read: list[KeyValues]

    @property
    def buffers(self) -> list[Tensor]:
        """All of them, each once."""
        tensors = [t for kv in (*self.read, *self.own) for t in (kv.keys, kv.values)]
        return list({id(tensor): tensor for tensor in tensors}.values())


class Prefix:
    """The VLM's decoder, and the expert's projections of its keys and values.

    Args:
        policy: lerobot's. shapes: its. layers: how weights are stored. rows: tokens at once.
    """

    def __init__(self, policy: Any, shapes: Shapes, layers: Layers, rows: int) -> None:
        model = policy.model.vlm_with_expert
        self._shapes = shapes
        modules = model.get_vlm_model().text_model.layers
        self._layers = [_layer(module, shapes, layers, rows) for module in modules[:-1]]
        last = modules[-1]
        self._last = _Last(
            layers.make(decoder.qkv(last, shapes, "kv"), rows),
            last.input_layernorm.variance_epsilon,
        )
        self._cross = [
            _cross(module, shapes, layers, rows) if cross else None
            for module, cross in zip(model.lm_expert.layers, shapes.cross, strict=True)
        ]

    def memory(self, batch: int, tokens: int, like: Tensor) -> PrefixMemory:
        """Buffers for `tokens` tokens and the state, of the dtype and device of `like`."""
        shapes = self._shapes

        def new(length: int) -> KeyValues:
            return KeyValues.zeros(batch, length, shapes, like.dtype, like.device)

        read = [new(tokens + 1 + (0 if cross else shapes.chunk)) for cross in shapes.cross]
        own = [
            new(tokens + 1) if cross else kv
            for kv, cross in zip(read[:-1], shapes.cross[:-1], strict=True)
        ]
        return PrefixMemory(own, read)

    def __call__(
        self, x: Tensor, turns: Tensor, memory: PrefixMemory, start: int, mask: Tensor | None
    ) -> None:
        """Fill the memory with tokens.

        Args:
            x: embeddings, shape (B, n, E).
            turns: of their positions.
            memory: to be filled.
            start: of the tokens in the memory; what is before is attended to.
            mask: added to attention's scores, shape (B, 1, 1, start + n); None: all are seen.
        """
        shapes, (batch, count, width) = self._shapes, x.shape
        end = start + count
        x = x.reshape(-1, width).clone()  # layers add onto it
        for index, layer in enumerate(self._layers):
            qkv = layer.qkv(decoder.normalized(x, layer.eps)).view(
                batch, count, -1, shapes.head_dim
            )
            qk = turned(qkv[:, :, : shapes.heads + shapes.kv_heads], turns)
            keys, values = qk[:, :, shapes.heads :], qkv[:, :, shapes.heads + shapes.kv_heads :]
            memory.own[index].put(keys, values, start)
            self._tell_expert(index, keys, values, memory, start)
            seen = memory.own[index].first(end)
            attended = F.scaled_dot_product_attention(
                qk[:, :, : shapes.heads].transpose(1, 2), seen.keys, seen.values, attn_mask=mask
            )
            x = layer.out.onto(x, attended.transpose(1, 2).reshape(batch * count, -1))
            x = layer.mlp(x)
        kv = self._last.kv(decoder.normalized(x, self._last.eps))
        kv = kv.view(batch, count, -1, shapes.head_dim)
        keys, values = turned(kv[:, :, : shapes.kv_heads], turns), kv[:, :, shapes.kv_heads :]
        if not self._tell_expert(len(self._layers), keys, values, memory, start):
            memory.read[-1].put(keys, values, start)

    def _tell_expert(
        self, index: int, keys: Tensor, values: Tensor, memory: PrefixMemory, start: int
    ) -> bool:
        """Write the expert's own keys and values of a cross-attention layer; False elsewhere."""
        cross = self._cross[index]
        if cross is None:
            return False
        shape = keys.shape
        rows = shape[0] * shape[1]
        memory.read[index].put(
            cross.keys(keys.reshape(rows, -1)).view(shape),
            cross.values(values.reshape(rows, -1)).view(shape),
            start,
        )
        return True


def _layer(module: Any, shapes: Shapes, layers: Layers, rows: int) -> _Layer:
    return _Layer(
        layers.make(decoder.qkv(module, shapes), rows),
        layers.make(Weights(module.self_attn.o_proj.weight), rows),
        decoder.mlp(module, layers, rows),
        module.input_layernorm.variance_epsilon,
    )


def _cross(module: Any, shapes: Shapes, layers: Layers, rows: int) -> _Cross:
    return _Cross(
        layers.make(decoder.cross_keys(module, shapes), rows),
        layers.make(Weights(module.self_attn.v_proj.weight), rows),
    )
