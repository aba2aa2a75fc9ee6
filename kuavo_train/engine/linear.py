"""Linear layers as the engine stores them: plain, prepacked for oneDNN, or 8-bit integers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Weights(NamedTuple):
    """Of one linear layer: weight, shape (out, in), and bias, shape (out,), or None."""

    weight: Tensor
    bias: Tensor | None = None


class Linear(ABC):
    """x, shape (N, in) → (N, out)."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """The layer's output."""

    def gelu(self, x: Tensor) -> Tensor:
        """The layer's output through GELU (its tanh form)."""
        return F.gelu(self(x), approximate="tanh")

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """The layer's output added to `residual`, shape (N, out), which is left alone."""
        return self(x).add_(residual)


class Plain(Linear):
    """torch's own."""

    def __init__(self, weights: Weights) -> None:
        self._weight, self._bias = weights.weight.contiguous(), weights.bias
        self._transposed = self._weight.t()

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self._weight, self._bias)

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        if self._bias is None:
            return torch.addmm(residual, x, self._transposed)
        return self(x).add_(residual)


class Packed(Linear):
    """The weight in the order in which oneDNN reads it; activation and sum within the product.

    Pays where weights are large: a product of few rows is bound by reading them.
    """

    def __init__(self, weights: Weights, rows: int) -> None:
        self._bias = weights.bias
        weight = weights.weight.contiguous()
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight, rows)

    def __call__(self, x: Tensor) -> Tensor:
        return self._run(x, "none", "")

    def gelu(self, x: Tensor) -> Tensor:
        return self._run(x, "gelu", "tanh")

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        out: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, residual, self._packed, self._bias, "add"
        )
        return out

    def _run(self, x: Tensor, activation: str, form: str) -> Tensor:
        out: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._packed, self._bias, activation, [], form
        )
        return out


class Int8(Linear):
    """Weights as 8-bit integers, one scale per output; inputs quantized as they come."""

    def __init__(self, weights: Weights) -> None:
        weight = weights.weight.float()
        scale = weight.abs().amax(1).clamp(min=1e-8).double() / 127
        quantized = torch.quantize_per_channel(
            weight, scale, torch.zeros(len(weight), dtype=torch.long), 0, torch.qint8
        )
        bias = None if weights.bias is None else weights.bias.float()
        self._packed = torch.ops.quantized.linear_prepack(quantized, bias)

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = torch.ops.quantized.linear_dynamic(x, self._packed, True)
        return out


class Layers:
    """Chooses how a layer is stored.

    Args:
        kind: plain, packed or int8. dtype: of plain and packed weights.
    """

    KINDS = ("plain", "packed", "int8")

    def __init__(self, kind: str, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._kind = kind

    def make(self, weights: Weights, rows: int) -> Linear:
        """A layer for inputs of about `rows` rows."""
        weight = weights.weight.detach().to(self.dtype)
        bias = None if weights.bias is None else weights.bias.detach().to(self.dtype)
        if self._kind == "packed":
            return Packed(Weights(weight, bias), rows)
        if self._kind == "int8":
            return Int8(Weights(weight, bias))
        return Plain(Weights(weight, bias))
