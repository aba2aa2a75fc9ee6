"""Real-time chunking's guidance in closed form (arXiv 2506.07339), without autograd.

lerobot's version takes the gradient of x − t·v with respect to x, but v was computed before x
asked for gradients: the gradient is the identity and the correction is the weighted error itself.
One Euler step of the guided velocity is then affine in x and v,

    x + dt·(v − g·w·(p − (x − t·v)))  =  keep·x + move·v + pull

with keep = 1 + dt·g·w, move = dt·(1 − g·w·t), pull = −dt·g·w·p, where p is the remainder of the
chunk in execution, w the weight of each of its steps, g the guidance's weight at flow time t.
Without a remainder w = 0: one form serves both.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_GUIDANCE = 10.0


@dataclass(frozen=True)
class Remainder:
    """What is still to be executed of the chunk before.

    actions: in the policy's scale, shape (B, K, d) or (K, d). delay: steps that will have been
    executed. horizon: steps from which on the new chunk is free; None: all K are held.
    """

    actions: Tensor
    delay: int
    horizon: int | None = None


@functools.lru_cache(maxsize=256)
def prefix_weights(delay: int, horizon: int, size: int) -> Tensor:
    """How strongly each step of the new chunk is held to the old one, shape (size,).

    1 for the steps that will have been executed (`delay`), falling exponentially to 0 at
    `horizon`, 0 after it.
    """
    delay = min(delay, horizon)
    weights = torch.zeros(size)
    weights[:delay] = 1.0
    between = horizon - delay
    if between > 0:
        fall = torch.linspace(1, 0, between + 2)[1:-1]
        weights[delay:horizon] = fall * torch.expm1(fall) / (math.e - 1)
    return weights


def guidance_weight(time: float) -> float:
    """Of the correction at flow time `time` (1: noise … 0: data)."""
    tau = 1.0 - time
    if tau <= 0.0:
        return MAX_GUIDANCE
    if time <= 0.0:
        return 0.0
    spread = (time**2 + tau**2) / time**2
    return min(time / tau * spread, MAX_GUIDANCE)


class EulerSteps:
    """The coefficients of all steps of one chunk, in buffers that stay.

    Attributes:
        keep, move: shape (steps, T, 1). pull: shape (steps, B, T, d).
    """

    def __init__(
        self, steps: int, batch: int, chunk: int, action_dim: int, device: torch.device
    ) -> None:
        self._dt = -1.0 / steps
        times = [1.0 + step * self._dt for step in range(steps)]
        strength = [self._dt * guidance_weight(time) for time in times]
        self._times = torch.tensor(times, device=device)[:, None, None]
        self._strength = torch.tensor(strength, device=device)[:, None, None]
        self._held = torch.zeros(batch, chunk, action_dim, device=device)
        self.keep = torch.ones(steps, chunk, 1, device=device)
        self.move = torch.full((steps, chunk, 1), self._dt, device=device)
        self.pull = torch.zeros(steps, batch, chunk, action_dim, device=device)
        self._guided = False

    @property
    def buffers(self) -> list[Tensor]:
        """What `guide` rewrites."""
        return [self.keep, self.move, self.pull]

    def guide(self, remainder: Remainder | None) -> None:
        """Set the coefficients for the next chunk."""
        if remainder is not None:
            self._hold(remainder)
        elif self._guided:
            self.keep.fill_(1.0)
            self.move.fill_(self._dt)
            self.pull.zero_()
        self._guided = remainder is not None

    def _hold(self, remainder: Remainder) -> None:
        actions = remainder.actions.to(self.pull)
        steps, dims = actions.shape[-2:]
        held = self._held.zero_()
        held[:, :steps, :dims] = actions
        horizon = steps if remainder.horizon is None else min(remainder.horizon, steps)
        weights = prefix_weights(remainder.delay, horizon, self.keep.shape[1]).to(self.pull)
        pulled = self._strength * weights[:, None]
        torch.add(1.0, pulled, out=self.keep)
        torch.sub(self._dt, pulled * self._times, out=self.move)
        torch.mul(-pulled[:, None], held, out=self.pull)

    def step(self, index: int, x: Tensor, velocity: Tensor) -> Tensor:
        """x, velocity: shape (B, T, d) → the next x."""
        free = torch.addcmul(self.pull[index], self.move[index], velocity)
        return free.addcmul_(self.keep[index], x)
