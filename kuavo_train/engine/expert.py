"""The action expert: from a noisy chunk to its velocity, over the prefix's keys and values.

    x (B, T, d) ── action_in ─┐
    flow time ── sin/cos ─────┴─ time_mlp_in ── silu ── time_mlp_out ── layers ── norm ── action_out

`action_in` and `time_mlp_in` are linear with nothing in between: one product and, for each of the
steps, one constant, folded in double precision at load. Both ends stay float32, as in lerobot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from lerobot.policies.smolvla.modeling_smolvla import create_sinusoidal_pos_embedding
from torch import Tensor

from kuavo_train.engine import decoder
from kuavo_train.engine.linear import Layers, Linear, Plain, Weights
from kuavo_train.engine.memory import KeyValues
from kuavo_train.engine.rotary import turned
from kuavo_train.engine.shapes import Shapes
from kuavo_train.engine.window import Window


@dataclass(frozen=True)
class _Layer:
    """project: queries of a cross-attention layer, else queries, keys and values."""

    project: Linear
    out: Linear
    mlp: decoder.Mlp
    eps: float
    cross: bool


class Expert:
    """The expert's decoder between its two ends.

    Args:
        policy: lerobot's. shapes: its. layers: how weights are stored.
    """

    def __init__(self, policy: Any, shapes: Shapes, layers: Layers) -> None:
        model, expert = policy.model, policy.model.vlm_with_expert.lm_expert
        self._shapes, self._dtype = shapes, layers.dtype
        self._enter, self._times = _entrance(policy, shapes.steps)
        time_out = model.action_time_mlp_out
        self._after_time = Plain(
            Weights(time_out.weight.detach().float(), time_out.bias.detach().float()),
            shapes.chunk,
        )
        self._layers = [
            _layer(module, cross, shapes, layers)
            for module, cross in zip(expert.layers, shapes.cross, strict=True)
        ]
        self._eps = expert.norm.variance_epsilon
        leave = Weights(
            decoder.folded(model.action_out_proj, expert.norm).float(),
            model.action_out_proj.bias.detach().float(),
        )
        self._leave = Plain(leave, shapes.chunk)

    def velocity(self, x: Tensor, step: int, memory: list[KeyValues], window: Window) -> Tensor:
        """Of a noisy chunk at one of the steps.

        Args:
            x: shape (B, T, d), float32.
            step: its number.
            memory: of the prefix, by layer; the chunk's own keys and values go behind it.
            window: turns and masks.

        Returns:
            Shape (B, T, d), float32.
        """
        rows = x.view(-1, x.shape[-1])
        rows = F.silu(self._enter(rows).add_(self._times[step]), inplace=True)
        rows = self._after_time(rows).to(self._dtype)
        for layer, kv in zip(self._layers, memory, strict=True):
            attend = self._look if layer.cross else self._look_at_itself_too
            attended = attend(layer, rows, kv, window, x.shape[0])
            rows = layer.mlp(layer.out.onto(rows, attended))
        return self._leave(decoder.normalized(rows.float(), self._eps)).view(x.shape)

    def _look(
        self, layer: _Layer, rows: Tensor, kv: KeyValues, window: Window, batch: int
    ) -> Tensor:
        queries = self._projected(layer, rows, batch)
        return _attended(turned(queries, window.cross), kv, window.cross_mask, rows.shape[0])

    def _look_at_itself_too(
        self, layer: _Layer, rows: Tensor, kv: KeyValues, window: Window, batch: int
    ) -> Tensor:
        shapes = self._shapes
        both = shapes.heads + shapes.kv_heads
        qkv = self._projected(layer, rows, batch)
        qk = turned(qkv[:, :, :both], window.own)
        kv.put(qk[:, :, shapes.heads :], qkv[:, :, both:], window.tokens + 1)
        return _attended(qk[:, :, : shapes.heads], kv, window.own_mask, rows.shape[0])

    def _projected(self, layer: _Layer, rows: Tensor, batch: int) -> Tensor:
        projected = layer.project(decoder.normalized(rows, layer.eps))
        return projected.view(batch, self._shapes.chunk, -1, self._shapes.head_dim)


def _attended(queries: Tensor, kv: KeyValues, mask: Tensor | None, rows: int) -> Tensor:
    out = F.scaled_dot_product_attention(
        queries.transpose(1, 2), kv.keys, kv.values, attn_mask=mask
    )
    return out.transpose(1, 2).reshape(rows, -1)


def _entrance(policy: Any, steps: int) -> tuple[Plain, Tensor]:
    """The product that actions enter by, and each step's constant, shape (steps, E)."""
    model, config = policy.model, policy.config
    mixing = model.action_time_mlp_in.weight.detach().double()
    width = mixing.shape[0]
    of_action, of_time = mixing[:, :width], mixing[:, width:]
    times = torch.tensor(
        [1.0 - step / steps for step in range(steps)], dtype=torch.float32, device=mixing.device
    )
    waves = create_sinusoidal_pos_embedding(
        times, width, config.min_period, config.max_period, device=mixing.device
    )
    constants = (
        waves.float().double() @ of_time.t()
        + model.action_time_mlp_in.bias.detach().double()
        + of_action @ model.action_in_proj.bias.detach().double()
    )
    product = of_action @ model.action_in_proj.weight.detach().double()
    return Plain(Weights(product.float()), policy.config.chunk_size), constants.float()


def _layer(module: Any, cross: bool, shapes: Shapes, layers: Layers) -> _Layer:
    rows = shapes.chunk
    return _Layer(
        layers.make(decoder.qkv(module, shapes, "q" if cross else "qkv"), rows),
        layers.make(Weights(module.self_attn.o_proj.weight), rows),
        decoder.mlp(module, layers, rows),
        module.input_layernorm.variance_epsilon,
        cross,
    )
