"""Arm actions measured from the joint state that they are planned at, where a chain wants that.

A chunk's first actions lie within some hundredths of a radian of the present joints. A policy that
gives absolute angles has to copy the joints out of its input first, and a small one copies them
worse than the motion is large: a nano SmolVLA's first action of weighing was off by 0.024 rad,
holding still by 0.021 (frames of three unseen episodes; the errors of a chunk's later steps, with
the first one's taken away, were a third smaller). Measured from the joints, the copy is exact.

    relative = (action − joints at the observation) / growth, for the 14 arm joints; hands, base
    and `move` have no state to start from, or one that they soon leave, and stay absolute

as openpi does it for joints (Black et al. 2024, arXiv 2410.24164), but for the growth: a tenth of a
second after the observation the arms have moved a fifth as far as at a chunk's end, so with one
scale for all steps the first ones, which are the ones that get executed, are a fifth of the noise
that the policy starts from and count a twenty-fifth in its loss. Divided by how far demonstrations
have moved by then, every step counts the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kuavo_deploy.robot.layout import ARM_INDICES

_ARMS = list(ARM_INDICES)


LEAST_GROWTH = 0.1
"""No step is magnified more than the inverse of this."""


def growth_of(chunks: Sequence[np.ndarray]) -> np.ndarray:
    """How far the arms are from where a chunk begins, at each of its steps.

    Args:
        chunks: of each task, (N, T, 20), relative with a growth of 1.

    Returns:
        Root mean square over tasks and joints of the deviations, shape (T,), float32; 1 on the
        average over the steps' squares.
    """
    squares = [chunk[..., _ARMS].astype(np.float64).var(axis=0).mean(axis=-1) for chunk in chunks]
    each = np.mean(squares, axis=0)
    if not each.any():
        return np.ones(len(each), dtype=np.float32)
    return np.maximum(np.sqrt(each / each.mean()), LEAST_GROWTH).astype(np.float32)


def to_relative(actions: Tensor, states: Tensor, growth: np.ndarray | None = None) -> Tensor:
    """Chunks (…, T, 20), planned at states (…, 16), both in robot units → relative ones.

    growth: of T steps or more; None: 1 at each.
    """
    relative = actions.clone()
    relative[..., _ARMS] -= states[..., None, _ARMS].to(actions)
    if growth is not None:
        relative[..., _ARMS] /= _by_step(growth, actions)
    return relative


def to_absolute(actions: Tensor, states: Tensor, growth: np.ndarray | None = None) -> Tensor:
    """The inverse of `to_relative`."""
    absolute = actions.clone()
    if growth is not None:
        absolute[..., _ARMS] *= _by_step(growth, actions)
    absolute[..., _ARMS] += states[..., None, _ARMS].to(actions)
    return absolute


def _by_step(growth: np.ndarray, actions: Tensor) -> Tensor:
    steps = actions.shape[-2]
    if steps > len(growth):
        raise ValueError(f"a chunk of {steps} steps, where statistics know {len(growth)}")
    return torch.as_tensor(growth[:steps]).to(actions)[:, None]
