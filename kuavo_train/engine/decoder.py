"""A layer of the VLM's or the expert's decoder, with the norms folded into what follows them.

RMSNorm's weights scale the inputs of the next product, hence belong into its columns; what is
left of the norm is a division by each row's root mean square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kuavo_train.engine.linear import Layers, Linear, Weights
from kuavo_train.engine.rotary import interleave, interleave_columns
from kuavo_train.engine.shapes import Shapes


def normalized(x: Tensor, eps: float) -> Tensor:
    """Rows divided by their root mean square."""
    if x.is_cuda or x.dtype != torch.float32:
        return F.rms_norm(x, x.shape[-1:], None, eps)
    # torch's own is three times slower on a CPU
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * length.square_().div_(x.shape[-1]).add_(eps).rsqrt_()


@dataclass(frozen=True)
class Mlp:
    """Gate and up projection in one product, then down, added to the input."""

    gate_up: Linear
    down: Linear
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        """x, shape (N, E), which is used up → (N, E)."""
        gate, up = self.gate_up(normalized(x, self.eps)).chunk(2, dim=1)
        return self.down.onto(x, F.silu(gate).mul_(up))


def folded(linear: Any, norm: Any) -> Tensor:
    """A product's weight, shape (out, in), with the preceding norm's inside."""
    return linear.weight.detach() * norm.weight.detach()


def mlp(module: Any, layers: Layers, rows: int) -> Mlp:
    """Read from a decoder layer."""
    norm = module.post_attention_layernorm
    both = torch.cat([folded(module.mlp.gate_proj, norm), folded(module.mlp.up_proj, norm)])
    return Mlp(
        layers.make(Weights(both), rows),
        layers.make(Weights(module.mlp.down_proj.weight), rows),
        norm.variance_epsilon,
    )


def qkv(module: Any, shapes: Shapes, parts: str = "qkv") -> Weights:
    """Of a decoder layer, queries and keys interleaved (see `rotary`).

    Args:
        module: the layer.
        shapes: of the architecture.
        parts: which projections, in this order.
    """
    attention, norm = module.self_attn, module.input_layernorm
    made = {
        "q": lambda: interleave(folded(attention.q_proj, norm), shapes.heads),
        "k": lambda: interleave(folded(attention.k_proj, norm), shapes.kv_heads),
        "v": lambda: folded(attention.v_proj, norm),
    }
    return Weights(torch.cat([made[part]() for part in parts]))


def cross_keys(module: Any, shapes: Shapes) -> Weights:
    """Of an expert layer that reads the VLM's (interleaved) keys."""
    weight = interleave_columns(module.self_attn.k_proj.weight.detach(), shapes.kv_heads)
    return Weights(interleave(weight, shapes.kv_heads))
