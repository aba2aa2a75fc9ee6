"""One batch shape: its buffers, and the three parts of a chunk that touch nothing else.

Each part is recorded once and replayed (see `graphs`). A chunk is: fill `pixels`, look(), which
makes `images`; fill `language`, read(); fill `state`, `noise` and `euler`, act(); `actions`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from kuavo_train.engine.graphs import Traced, captured
from kuavo_train.engine.guidance import EulerSteps
from kuavo_train.engine.networks import Networks
from kuavo_train.engine.window import Window


class Session:
    """Buffers for B observations with instructions of the same padded length.

    Args:
        networks: the engine's. batch: B. language: tokens per instruction, with padding.
        padded: see `Window`. graphs: recorded on a CPU too.

    Attributes:
        pixels: shape (B, C, 3, side, side), in 0…1. images, language: tokens,
            shape (B, C·image_tokens, E) and (B, language, E).
        state: shape (B, state_dim). noise, actions: shape (B, T, action_dim), float32.
        euler: the steps' coefficients. window: see there.
    """

    def __init__(
        self, networks: Networks, batch: int, language: int, padded: bool, graphs: bool
    ) -> None:
        shapes, device, dtype = networks.shapes, networks.device, networks.dtype
        self.batch = batch
        self.tokens_read: Tensor | None = None
        self._networks = networks
        self.window = Window(shapes, batch, language, padded, dtype, device)
        size = (batch, shapes.cameras, 3, shapes.side, shapes.side)
        self.pixels = torch.zeros(size, device=device)
        self._tokens = torch.zeros(
            batch, self.window.tokens, networks.width, dtype=dtype, device=device
        )
        self._count = shapes.cameras * shapes.image_tokens
        self.images, self.language = self._tokens[:, : self._count], self._tokens[:, self._count :]
        self._memory = networks.prefix.memory(batch, self.window.tokens, self._tokens)
        self.state = torch.zeros(batch, shapes.state_dim, device=device)
        self.noise = torch.zeros(batch, shapes.chunk, shapes.action_dim, device=device)
        self.actions = torch.zeros_like(self.noise)
        self.euler = EulerSteps(shapes.steps, batch, shapes.chunk, shapes.action_dim, device)
        self.look, self.read, self.act = self._parts(graphs)

    def _parts(self, graphs: bool) -> list[Callable[[], None]]:
        parts = [self._look, self._read, self._act]
        if self.state.is_cuda:
            return captured(parts)
        if not graphs or not self._networks.traceable:
            return parts
        window, memory = self.window.buffers, self._memory.buffers
        own = [self.state, self.noise, self.actions, *self.euler.buffers]
        touched = (
            [self.pixels, self._tokens], [self._tokens, *window, *memory], [*own, *window, *memory],
        )  # fmt: skip
        threads = self._networks.threads(self.batch)
        return [Traced(*all_) for all_ in zip(parts, touched, threads, strict=True)]

    def _look(self) -> None:
        """Vision."""
        self._tokens[:, : self._count].copy_(self._networks.vision(self.pixels))

    def _read(self) -> None:
        """Images and instruction through the VLM: the rest of what needs no state."""
        self._networks.prefix(
            self._tokens, self.window.prefix, self._memory, 0, self.window.prefix_mask
        )

    def _act(self) -> None:
        """The state's token, then all steps of denoising."""
        networks, window = self._networks, self.window
        token = F.linear(self.state, *networks.state)[:, None].to(networks.dtype)
        networks.prefix(token, window.state, self._memory, window.tokens, window.state_mask)
        x = self.noise
        for step in range(networks.shapes.steps):
            velocity = networks.expert.velocity(x, step, self._memory.read, window)
            x = self.euler.step(step, x, velocity)
        self.actions.copy_(x)
