"""Arm actions measured from the joint state that they are planned at, where a chain wants that.

A chunk's first actions lie within some hundredths of a radian of the present joints. A policy that
gives absolute angles has to copy the joints out of its input first, and a small one copies them
worse than the motion is large: a nano SmolVLA's first action of weighing was off by 0.024 rad,
holding still by 0.021 (frames of three unseen episodes; the errors of a chunk's later steps, with
the first one's taken away, were a third smaller). Measured from the joints, the copy is exact.

    relative = action − joints at the observation, for the 14 arm joints; hands, base and `move`
    have no state to start from, or one that they soon leave, and stay absolute

as openpi does it for joints (Black et al. 2024, arXiv 2410.24164).
"""

from __future__ import annotations

from torch import Tensor

from kuavo_deploy.robot.layout import ARM_INDICES

_ARMS = list(ARM_INDICES)


def to_relative(actions: Tensor, states: Tensor) -> Tensor:
    """Chunks (…, T, 20), planned at states (…, 16), both in robot units → relative ones."""
    relative = actions.clone()
    relative[..., _ARMS] -= states[..., None, _ARMS].to(actions)
    return relative


def to_absolute(actions: Tensor, states: Tensor) -> Tensor:
    """The inverse of `to_relative`."""
    absolute = actions.clone()
    absolute[..., _ARMS] += states[..., None, _ARMS].to(actions)
    return absolute
