"""Processes that go their own way for some steps, then have the mean of their weights.

That is local SGD (Stich 2019, arXiv 1805.09767), here with the optimizer's moments. Exchanging
gradients makes every process wait in every step, and do the whole of the optimizer's work for its
part of a batch. For a small model on a CPU that is most of a step: there, two processes that meet
now and then do nearly twice as much as one, two that exchange gradients a quarter more.
"""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import Tensor


class Averaging:
    """When processes meet, and what they do then.

    Args:
        accelerator: the processes.
        optimizer: of this one.
        every: steps between two meetings; None: never, gradients are exchanged instead.
    """

    def __init__(
        self, accelerator: Accelerator, optimizer: torch.optim.Optimizer, every: int | None
    ) -> None:
        self._accelerator, self._optimizer = accelerator, optimizer
        self._every = every if accelerator.num_processes > 1 else None

    @property
    def apart(self) -> bool:
        """Do the processes go their own ways?"""
        return self._every is not None

    def due(self, steps: int) -> bool:
        """Do they meet after so many steps? Not apart, they are together after each."""
        return self._every is None or steps % self._every == 0

    @torch.no_grad()
    def meet(self) -> None:
        """Give all processes the mean of their weights and moments; nothing to do if not apart."""
        if self._every is None:
            return
        kept = self._kept()
        mean = self._accelerator.reduce(torch.cat([t.flatten() for t in kept]), reduction="mean")
        for tensor, part in zip(kept, mean.split([t.numel() for t in kept]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def _kept(self) -> list[Tensor]:
        """Weights and moments, in the same order in every process; counters agree already."""
        weights = [p for group in self._optimizer.param_groups for p in group["params"]]
        moments = [
            value
            for weight in weights
            for _, value in sorted(self._optimizer.state.get(weight, {}).items())
            if value.dim()
        ]
        return [*weights, *moments]
