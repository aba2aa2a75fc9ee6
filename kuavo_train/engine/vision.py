"""All cameras of all observations through the vision encoder in one batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kuavo_train.engine.linear import Layers, Linear, Weights
from kuavo_train.engine.shapes import Shapes


@dataclass(frozen=True)
class Norm:
    """Of a layer norm."""

    weight: Tensor
    bias: Tensor
    eps: float

    @classmethod
    def of(cls, module: Any, dtype: torch.dtype) -> Norm:
        """Read from torch's module."""
        weight, bias = module.weight.detach().to(dtype), module.bias.detach().to(dtype)
        return cls(weight, bias, module.eps)

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True)
class _Layer:
    before_attention: Norm
    qkv: Linear
    out: Linear
    before_mlp: Norm
    up: Linear
    down: Linear


class Vision:
    """SigLIP and the connector.

    Args:
        policy: lerobot's. shapes: its. layers: how weights are stored.
    """

    def __init__(self, policy: Any, shapes: Shapes, layers: Layers) -> None:
        model = policy.model.vlm_with_expert.get_vlm_model()
        encoder, dtype = model.vision_model, layers.dtype
        self._shapes, self._dtype = shapes, dtype
        self._patch = int(encoder.patch_size)
        self._grid = shapes.side // self._patch
        self._shuffle = int(model.connector.scale_factor)
        self._heads = int(encoder.config.num_attention_heads)
        rows = shapes.cameras * self._grid**2
        self._embed, self._positions = _patches(encoder, shapes.side, layers, rows)
        self._layers = [_layer(layer, layers, rows) for layer in encoder.encoder.layers]
        self._norm = Norm.of(encoder.post_layernorm, dtype)
        # an image token is scaled by the root of its width: in the projection, once
        projection = model.connector.modality_projection.proj.weight
        scaled = projection.detach() * math.sqrt(projection.shape[0])
        self._project = layers.make(Weights(scaled), rows // self._shuffle**2)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Image tokens.

        Args:
            pixels: in 0…1, shape (B, C, 3, side, side).

        Returns:
            Shape (B, C·image_tokens, E).
        """
        count = pixels.shape[0] * pixels.shape[1]
        x = self._patches_of(pixels)
        width = self._positions.shape[1]
        x = self._embed(x).view(count, -1, width).add_(self._positions).view(-1, width)
        for layer in self._layers:
            x = layer.out.onto(x, self._attention(layer.qkv(layer.before_attention(x)), count))
            x = layer.down.onto(x, layer.up.gelu(layer.before_mlp(x)))
        x = self._project(self._shuffled(self._norm(x), count))
        return x.view(pixels.shape[0], -1, x.shape[1])

    def _patches_of(self, pixels: Tensor) -> Tensor:
        grid, patch = self._grid, self._patch
        x = pixels.to(self._dtype).view(-1, 3, grid, patch, grid, patch)
        return x.permute(0, 2, 4, 1, 3, 5).reshape(-1, 3 * patch * patch)

    def _attention(self, qkv: Tensor, count: int) -> Tensor:
        q, k, v = qkv.view(count, -1, 3, self._heads, qkv.shape[1] // 3 // self._heads).unbind(2)
        out = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        )
        return out.transpose(1, 2).reshape(qkv.shape[0], -1)

    def _shuffled(self, x: Tensor, count: int) -> Tensor:
        """Square neighbourhoods of patches side by side, shape (count·image_tokens, …)."""
        by = self._shuffle
        coarse = self._grid // by
        x = x.view(count, coarse, by, coarse, by, x.shape[1]).transpose(2, 3)
        return x.reshape(count * coarse * coarse, -1)


def _patches(encoder: Any, side: int, layers: Layers, rows: int) -> tuple[Linear, Tensor]:
    """The patch embedding as a product, and what is added to it, shape (patches, E).

    Pixels come in 0…1; the encoder wants −1…1: w·(2x − 1) + b = 2w·x + (b − Σw). The module
    itself, shown zeros, gives b and the positions, which depend on how it rounds.
    """
    embeddings, patch = encoder.embeddings, encoder.patch_size
    weight = embeddings.patch_embedding.weight.detach().flatten(1)
    zeros = torch.zeros(1, 3, side, side, dtype=weight.dtype, device=weight.device)
    whole = torch.ones(1, side // patch, side // patch, dtype=torch.bool, device=weight.device)
    with torch.no_grad():
        seen = embeddings(pixel_values=zeros, patch_attention_mask=whole)[0]
    constant = (seen.double() - weight.double().sum(1)).to(layers.dtype)
    return layers.make(Weights(2 * weight), rows), constant


def _layer(module: Any, layers: Layers, rows: int) -> _Layer:
    attention, dtype = module.self_attn, layers.dtype
    three = (attention.q_proj, attention.k_proj, attention.v_proj)
    qkv = Weights(
        torch.cat([linear.weight.detach() for linear in three]),
        torch.cat([linear.bias.detach() for linear in three]),
    )
    return _Layer(
        Norm.of(module.layer_norm1, dtype),
        layers.make(qkv, rows),
        layers.make(_weights(attention.out_proj), rows),
        Norm.of(module.layer_norm2, dtype),
        layers.make(_weights(module.mlp.fc1), rows),
        layers.make(_weights(module.mlp.fc2), rows),
    )


def _weights(module: Any) -> Weights:
    return Weights(module.weight, module.bias)
