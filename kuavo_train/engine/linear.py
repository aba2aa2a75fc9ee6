"""Linear layers as the engine stores them: plain, prepacked for oneDNN, or 8-bit integers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

FEW_ROWS = 64
LARGE = 1 << 19
"""Numbers of a weight that a core's cache does not hold from step to step."""
GELU_LINEAR = torch.tensor(2 * math.sqrt(2 / math.pi))
GELU_CUBIC = 0.044715 * float(GELU_LINEAR)


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
        return gelu(self(x))

    def onto(self, sum_: Tensor, x: Tensor) -> Tensor:
        """The layer's output added to `sum_`, shape (N, out), which is used up."""
        return self(x).add_(sum_)


def gelu(x: Tensor) -> Tensor:
    """GELU's tanh form; on a CPU x is used up.

    ½·(1 + tanh(y)) = σ(2y), and torch computes σ three times faster than its GELU there.
    """
    if x.is_cuda or x.dtype != torch.float32:
        return F.gelu(x, approximate="tanh")
    gate = torch.addcmul(GELU_LINEAR, x, x, value=GELU_CUBIC).mul_(x).sigmoid_()
    return gate.mul_(x)


class Plain(Linear):
    """torch's own.

    Args:
        weights: of the layer. rows: of its inputs, about; few rows are multiplied faster by a
            weight that lies input by input.
    """

    def __init__(self, weights: Weights, rows: int) -> None:
        weight = weights.weight
        self._weight = weight.t().contiguous().t() if rows <= FEW_ROWS else weight.contiguous()
        self._bias = weights.bias

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self._weight, self._bias)

    def onto(self, sum_: Tensor, x: Tensor) -> Tensor:
        if self._bias is None:
            return sum_.addmm_(x, self._weight.t())
        return self(x).add_(sum_)


class Packed(Linear):
    """The weight in the order in which oneDNN reads it; activation and sum within the product.

    Pays where few rows meet a large weight, by a quarter; costs 40 µs a call.
    """

    def __init__(self, weights: Weights, rows: int) -> None:
        self._bias = weights.bias
        weight = weights.weight.contiguous()
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight, rows)

    def __call__(self, x: Tensor) -> Tensor:
        return self._run(x, "none", "")

    def gelu(self, x: Tensor) -> Tensor:
        return self._run(x, "gelu", "tanh")

    def onto(self, sum_: Tensor, x: Tensor) -> Tensor:
        out: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, sum_, self._packed, self._bias, "add"
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
    """Chooses how a layer is stored: as it is fastest, or as 8-bit integers.

    Args:
        dtype: of weights and activations. int8: of the weights instead (on a CPU).

    Attributes:
        traceable: TorchScript can hold all weights that were made; it knows neither packed ones
            nor integers.
    """

    def __init__(self, dtype: torch.dtype, int8: bool = False) -> None:
        self.dtype = dtype
        self._int8 = int8
        self.traceable = not int8

    def make(self, weights: Weights, rows: int) -> Linear:
        """A layer for inputs of about `rows` rows."""
        weight = weights.weight.detach().to(self.dtype)
        bias = None if weights.bias is None else weights.bias.detach().to(self.dtype)
        if self._int8:
            return Int8(Weights(weight, bias))
        if rows <= FEW_ROWS and _pays_to_pack(weight):
            self.traceable = False
            return Packed(Weights(weight, bias), rows)
        return Plain(Weights(weight, bias), rows)


def _pays_to_pack(weight: Tensor) -> bool:
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and weight.numel() >= LARGE
        and torch.backends.mkldnn.is_available()
    )
