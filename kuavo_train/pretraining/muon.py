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


class Muon(torch.optim.Optimizer):
    """For parameters with two dimensions.

    Args:
        parameters: matrices.
        lr: learning rate, on AdamW's scale.
        weight_decay: decoupled.
        momentum: Nesterov's.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, weight_decay: float, momentum: float = 0.95
    ) -> None:
        super().__init__(
            parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Matrices of one shape are made orthogonal together."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in shapes.items():
                gradients = [self._averaged(p, group["momentum"]) for p in parameters]
                scale = RMS * max(shape) ** 0.5
                for parameter, update in zip(
                    parameters, orthogonal(torch.stack(gradients)), strict=True
                ):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-group["lr"] * scale)

    def _averaged(self, parameter: Tensor, momentum: float) -> Tensor:
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        average: Tensor = state["momentum"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(average, momentum)


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
