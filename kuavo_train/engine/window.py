"""Where each token stands and what it may look at, for one batch of instructions.

Tokens: C·image_tokens, the instruction (padded to the batch's or its recorded length), the state;
then the chunk's T. Padding is never attended to and takes no position, as in lerobot.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kuavo_train.engine.rotary import turns
from kuavo_train.engine.shapes import Shapes


class Window:
    """Rotary turns and masks, in buffers that stay; `set_lengths` rewrites them.

    Args:
        shapes: of the architecture. batch: B. language: tokens per instruction, with padding.
        padded: whether there can be padding; without, no masks are needed but the causal one.
        dtype: of the masks.

    Attributes:
        tokens: P.
        prefix, state, own, cross: turns of the tokens, the state, the chunk's steps where the
            expert looks at itself, and where it looks at the prefix alone (counted from 0).
        prefix_mask, state_mask, own_mask, cross_mask: added to attention's scores.
    """

    def __init__(
        self, shapes: Shapes, batch: int, language: int, padded: bool, dtype: torch.dtype,
        device: torch.device,
    ) -> None:  # fmt: skip
        self.language = language
        self._images = shapes.cameras * shapes.image_tokens
        self._shapes, self._device, self._dtype = shapes, device, dtype
        self.tokens = self._images + language
        head = shapes.head_dim
        self.prefix = turns(torch.arange(self.tokens, device=device)[None], head)
        self.cross = turns(torch.arange(shapes.chunk, device=device)[None], head)
        self.state = torch.zeros(batch, 1, 1, head // 2, dtype=torch.complex64, device=device)
        self.own = torch.zeros(
            batch, shapes.chunk, 1, head // 2, dtype=torch.complex64, device=device
        )
        seen = torch.zeros(batch, 1, 1, self.tokens + 1, dtype=dtype, device=device)
        self.state_mask = self.cross_mask = seen if padded else None
        self.own_mask = torch.zeros(
            batch, 1, shapes.chunk, self.tokens + 1 + shapes.chunk, dtype=dtype, device=device
        )
        causal = torch.full((shapes.chunk, shapes.chunk), float("-inf"), dtype=dtype).triu(1)
        self.own_mask[..., self.tokens + 1 :] = causal.to(device)
        self.set_lengths([language] * batch)

    @property
    def prefix_mask(self) -> Tensor | None:
        """The state's, without the state."""
        return None if self.state_mask is None else self.state_mask[..., : self.tokens]

    @property
    def buffers(self) -> list[Tensor]:
        """What `set_lengths` rewrites."""
        masks = [] if self.state_mask is None else [self.state_mask]
        return [self.state, self.own, self.own_mask, *masks]

    def set_lengths(self, lengths: Sequence[int]) -> None:
        """Tokens of each instruction, without padding."""
        length = torch.tensor(lengths, device=self._device)
        state = self._images + length[:, None]
        steps = torch.arange(1, self._shapes.chunk + 1, device=self._device)
        self.state.copy_(turns(state, self._shapes.head_dim))
        self.own.copy_(turns(state + steps, self._shapes.head_dim))
        if self.state_mask is None:
            return
        place = torch.arange(self.tokens, device=self._device)
        hidden = (place >= state)[:, None, None]
        for mask in (self.state_mask, self.own_mask):
            mask[..., : self.tokens].masked_fill_(~hidden, 0.0)
            mask[..., : self.tokens].masked_fill_(hidden, float("-inf"))
