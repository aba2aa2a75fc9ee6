"""Muon: momentum whose update is made orthogonal, for the matrices of hidden layers.

After K. Jordan, 'Muon: an optimizer for hidden layers in neural networks' (2024), with the scale of
Liu et al., 'Muon is scalable for LLM training' (2025), by which AdamW's learning rates serve.
torch.optim.Muon iterates in bfloat16, which these CPUs compute hundreds of times slower than
float32: a step of the nano model takes it minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
RMS = 0.2
"""Of an update's entries, where the learning rate is one: AdamW's."""


class MuonAdamW(torch.optim.AdamW):
    """Muon for the groups of matrices that say `muon=True`, AdamW for the others.

    Args:
        groups: as torch's: `params`, and what is different for them.
        lr: learning rate.
        betas: AdamW's.
        weight_decay: decoupled.
        momentum: Muon's, Nesterov's.
    """

    param_groups: list[dict[str, Any]]

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        betas: tuple[float, float],
        weight_decay: float,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(groups, lr=lr, betas=betas, weight_decay=weight_decay)
        self._momentum = momentum

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Matrices of one shape are made orthogonal together."""
        groups = self.param_groups
        self.param_groups = [group for group in groups if not group.get("muon")]
        try:
            loss = super().step(closure)
        finally:
            self.param_groups = groups
        for group in groups:
            if group.get("muon"):
                self._turn(group)
        return loss

    def _turn(self, group: dict[str, Any]) -> None:
        shapes: dict[torch.Size, list[Tensor]] = {}
        for parameter in group["params"]:
            if parameter.grad is not None:
                shapes.setdefault(parameter.shape, []).append(parameter)
        for shape, parameters in shapes.items():
            scale = RMS * max(shape) ** 0.5
            updates = orthogonal(torch.stack([self._averaged(p) for p in parameters]))
            for parameter, update in zip(parameters, updates, strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)

    def _averaged(self, parameter: Tensor) -> Tensor:
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        if "momentum" not in state:
            # AdamW expects a step in every state that it loads
            state.update(step=torch.zeros(()), momentum=torch.zeros_like(parameter))
        average: Tensor = state["momentum"].lerp_(gradient, 1 - self._momentum)
        return gradient.lerp(average, self._momentum)


def orthogonal(matrices: Tensor) -> Tensor:
    """(N, R, C) → nearly U·Vᵀ of each matrix U·S·Vᵀ: singular values between about 0.7 and 1.2.

    Five Newton–Schulz iterations with Jordan's quintic.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
