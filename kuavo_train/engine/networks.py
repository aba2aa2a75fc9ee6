"""A policy's weights, rearranged once: vision, prefix, expert and the two small ends."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from kuavo_train.engine.expert import Expert
from kuavo_train.engine.linear import Layers
from kuavo_train.engine.prefix import Prefix
from kuavo_train.engine.shapes import Shapes
from kuavo_train.engine.threads import Threads
from kuavo_train.engine.vision import Vision


class Networks:
    """All that a session computes with.

    Args:
        policy: lerobot's `SmolVLAPolicy`. dtype, int8: see `Layers`. release: see `Engine`.

    Attributes:
        shapes: of the architecture. device, dtype, width: of the tokens. state: weight and bias.
        traceable: see `Layers`.
    """

    def __init__(
        self, policy: Any, dtype: torch.dtype, int8: bool = False, release: bool = False
    ) -> None:
        self.shapes = shapes = Shapes.of(policy)
        model = policy.model.vlm_with_expert
        layers = Layers(dtype, int8)
        self._embedding: Tensor = (
            model.get_vlm_model().text_model.get_input_embeddings().weight.detach()
        )
        self.device, self.dtype = self._embedding.device, dtype
        self.width = self._embedding.shape[1]
        rows = shapes.cameras * shapes.image_tokens + shapes.language_tokens
        projection = policy.model.state_proj
        self.state = (projection.weight.detach().float(), projection.bias.detach().float())
        vlm = model.get_vlm_model()
        self.vision = Vision(policy, shapes, layers)
        if release:
            _empty(vlm.vision_model, vlm.connector)
        self.prefix = Prefix(policy, shapes, layers, rows)
        if release:
            _empty(vlm.text_model, model.vlm.lm_head)
        self.expert = Expert(policy, shapes, layers)
        if release:
            _empty(policy)
        self.traceable = layers.traceable
        self._threads: dict[int, tuple[Threads, Threads, Threads]] = {}

    def threads(self, batch: int) -> tuple[Threads, Threads, Threads]:
        """Of looking, reading and acting, for all sessions of a batch size."""
        if batch not in self._threads:
            self._threads[batch] = (Threads(), Threads(), Threads())
        return self._threads[batch]

    @property
    def settled(self) -> bool:
        """All threads are chosen."""
        return all(t.chosen is not None for three in self._threads.values() for t in three)

    def language(self, tokens: Tensor) -> Tensor:
        """Embeddings of token numbers, shape (…) → (…, E)."""
        return self._embedding[tokens.to(self.device)] * math.sqrt(self.width)


def _empty(*modules: torch.nn.Module) -> None:
    """Let go of their weights; who has read them keeps what it needs."""
    for module in modules:
        for parameter in module.parameters():
            parameter.data = parameter.data.new_empty(0)
