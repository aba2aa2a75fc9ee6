"""Computed values as numpy keeps them on disk, and back: numpy has no bfloat16."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

NAMES = {torch.float32: "float32", torch.uint8: "uint8", torch.bfloat16: "int16"}
"""numpy's name of the numbers."""


def encoded(value: Tensor, dtype: torch.dtype) -> np.ndarray:
    """A value in the precision that it is kept in."""
    kept = value.to(dtype).cpu()
    numbers: np.ndarray = (kept.view(torch.int16) if dtype == torch.bfloat16 else kept).numpy()
    return numbers


def decoded(numbers: np.ndarray, dtype: torch.dtype) -> Tensor:
    """The inverse; bfloat16 comes as float32."""
    value = torch.from_numpy(numbers)
    return value.view(torch.bfloat16).float() if dtype == torch.bfloat16 else value
