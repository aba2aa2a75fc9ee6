"""The engine: observations in, chunks out, weights read from a loaded policy.

    engine = Engine(policy)                                    # lerobot's SmolVLAPolicy
    chunk = engine.chunk(pixels, tokens, mask, state)          # or in two halves:
    engine.see(pixels, tokens, mask)                           # vision and prefix
    engine.see(None, tokens, mask)                             # same images, another instruction
    chunk = engine.act(state)                                  # when the joint state is there

One chunk at a time: the halves of two threads never mix (`chunk` locks). Weights that change, as
training changes them, are noticed and read again.
"""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor

from kuavo_train.engine.guidance import Remainder
from kuavo_train.engine.networks import Networks
from kuavo_train.engine.session import Session
from kuavo_train.errors import TrainingError

PRECISIONS = ("float32", "bfloat16", "int8")
SESSIONS = 8
"""Batch shapes whose buffers are kept."""


class Engine:
    """Inference of one policy.

    Args:
        policy: lerobot's, on its device.
        precision: of the products: float32, bfloat16, or int8 (weights, on a CPU).
        trim: drop the padding of instructions; shapes then follow the instruction. Default: on a
            CPU. A GPU's graphs want one shape.
        graphs: on a CPU, record each shape's graph at its first chunk, which takes ten times as
            long then: for whoever plans hundreds of chunks. A GPU always does.
        release: take the weights out of the policy, part by part as they are read. It can't
            compute or be trained any more.
    """

    def __init__(
        self, policy: Any, precision: str = "float32", trim: bool | None = None,
        graphs: bool = False, release: bool = False,
    ) -> None:  # fmt: skip
        if precision not in PRECISIONS:
            raise TrainingError(f"precision is {precision!r}: choose from {', '.join(PRECISIONS)}")
        self._policy, self._precision, self._graphs = policy, precision, graphs
        self._parameters = list(policy.parameters())
        device = self._parameters[0].device
        if precision == "int8" and device.type != "cpu":
            raise TrainingError("int8 is for a CPU: choose bfloat16 on a GPU")
        self._trim = device.type == "cpu" if trim is None else trim
        self._lock = threading.RLock()
        self._read(release)
        if release:
            self._parameters.clear()
            self._versions.clear()

    def _read(self, release: bool = False) -> None:
        with torch.inference_mode():
            dtype = torch.bfloat16 if self._precision == "bfloat16" else torch.float32
            self._networks = Networks(
                self._policy, dtype, self._precision == "int8", release
            )
        self._versions = self._weight_versions()
        self._sessions: dict[tuple[int, int, bool], Session] = {}
        self._session: Session | None = None

    @property
    def settled(self) -> bool:
        """Whether the next chunk will be as fast as all later ones (of shapes that were seen)."""
        return self._networks.settled

    def _weight_versions(self) -> list[tuple[int, int]]:
        return [
            (p.data_ptr(), 0 if p.is_inference() else p._version) for p in self._parameters
        ]

    @torch.inference_mode()
    def chunk(
        self, pixels: Tensor, tokens: Tensor, mask: Tensor, state: Tensor,
        noise: Tensor | None = None, remainder: Remainder | None = None,
    ) -> Tensor:  # fmt: skip
        """Both halves; see there."""
        with self._lock:
            self.see(pixels, tokens, mask)
            return self.act(state, noise, remainder)

    @torch.inference_mode()
    def see(self, pixels: Tensor | None, tokens: Tensor, mask: Tensor) -> None:
        """Compute what does not depend on the joint state.

        Args:
            pixels: letterboxed, in 0…1, shape (B, C, 3, side, side); None: those seen last, whose
                vision is not computed again.
            tokens: of the instructions, padded on the right, shape (B, L); best on the CPU.
            mask: which of them are no padding, shape (B, L).
        """
        with self._lock:
            if self._versions != self._weight_versions():
                self._read()
            session, before = self._session_for(tokens.cpu(), mask.cpu()), self._session
            if pixels is not None:
                session.pixels.copy_(pixels, non_blocking=True)
                session.look()
            elif before is None or before.batch != session.batch:
                raise TrainingError(f"no images were seen for {session.batch} instructions")
            else:
                session.images.copy_(before.images)
            session.read()
            self._session = session

    @torch.inference_mode()
    def act(
        self, state: Tensor, noise: Tensor | None = None, remainder: Remainder | None = None
    ) -> Tensor:
        """Compute the chunk of what was seen last.

        Args:
            state: normalized, shape (B, 16) or padded.
            noise: (B, T, action_dim), to start from; default: drawn as lerobot draws it.
            remainder: of the chunk in execution, to be continued (real-time chunking).

        Returns:
            Normalized, padded actions, shape (B, T, action_dim), float32.
        """
        with self._lock:
            session = self._session
            if session is None or len(state) != session.batch:
                raise TrainingError(f"nothing was seen for {len(state)} states: call see() first")
            session.state[:, : state.shape[1]].copy_(state, non_blocking=True)
            if noise is None:
                noise = torch.normal(0.0, 1.0, session.noise.shape, device=session.noise.device)
            session.noise.copy_(noise, non_blocking=True)
            session.euler.guide(remainder)
            session.act()
            return session.actions.clone()

    def _session_for(self, tokens: Tensor, mask: Tensor) -> Session:
        lengths = _lengths(mask)
        longest = max(lengths) if self._trim else self._networks.shapes.language_tokens
        padded = not self._trim or min(lengths) < longest
        key = (len(lengths), longest, padded)
        session = self._sessions.get(key)
        if session is None:
            if len(self._sessions) >= SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            session = Session(self._networks, *key, self._graphs)
            self._sessions[key] = session
        read = tokens.where(mask.bool(), -1)
        if session.tokens_read is None or not torch.equal(session.tokens_read, read):
            session.language.copy_(self._networks.language(tokens[:, :longest]))
            session.window.set_lengths(lengths)
            session.tokens_read = read
        return session


def _lengths(mask: Tensor) -> list[int]:
    lengths: list[int] = mask.sum(1).tolist()
    expected = torch.arange(mask.shape[1]) < mask.sum(1, keepdim=True)
    if not torch.equal(mask.bool(), expected) or not min(lengths, default=0):
        raise TrainingError("an instruction's padding must be on its right, and no text is empty")
    return lengths
