"""One action space for every task: 20 numbers, padded by SmolVLA to 32.

Standing tasks record 16 numbers, walking tasks 20 (see `kuavo_deploy.robot.layout`). One policy
serves all, so a standing task's action is completed with `STAY`: base pose at the odometry's
origin and `move` = 0. These four numbers are *supervised*, not masked, because

* `move` is the one number that makes the robot walk: the policy must be taught to say "no" in
  the standing tasks, not be left to guess;
* flow matching integrates its own output. A dimension without supervision drifts during
  sampling to values that training never showed, and the arms read it through the shared input
  layer. A constant target costs nothing and keeps sampling where training was.

The pose itself has no meaning while `move` ≤ 0.5: the executor reads it only above. A standing
task's *reported* validation loss counts its 16 recorded dimensions alone, so that four easy
numbers don't flatter it.

The 12 padded dimensions (20…31) are real to nobody. Their weights are zero at both ends of the
expert and stay zero: the loss never counts them, and their noise is zero in training, hence no
gradient. At inference their noise then has no way into the robot's 20 numbers, whoever draws it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from kuavo_deploy.robot.layout import ACTION_NAMES, STATE_DIM, WALKING_ACTION_DIM, check_action_dim

UNIFIED_DIM = WALKING_ACTION_DIM
STAY = (0.0, 0.0, 0.0, 0.0)
"""Base x, y [m], yaw [rad] in the odometry frame, move."""

__all__ = [
    "ACTION_NAMES",
    "STATE_DIM",
    "STAY",
    "UNIFIED_DIM",
    "recorded_dims",
    "silence_padding",
    "to_unified",
]


def to_unified(actions: np.ndarray) -> np.ndarray:
    """Complete recorded actions, shape (…, 16) or (…, 20), to (…, 20)."""
    dim = actions.shape[-1]
    check_action_dim(dim)
    if dim == UNIFIED_DIM:
        return actions
    stay = np.broadcast_to(np.asarray(STAY, actions.dtype), (*actions.shape[:-1], len(STAY)))
    return np.concatenate([actions, stay], axis=-1)


def recorded_dims(action_dim: int) -> Tensor:
    """Which of the 20 numbers a task with `action_dim` numbers recorded. Shape (20,), bool."""
    check_action_dim(action_dim)
    return torch.arange(UNIFIED_DIM) < action_dim


def silence_padding(model: nn.Module) -> None:
    """Cut dimensions 20…31 of the expert's input and output layers off, for good.

    Args:
        model: lerobot's `VLAFlowMatching`.
    """
    with torch.no_grad():
        model.action_in_proj.weight[:, UNIFIED_DIM:] = 0
        model.action_out_proj.weight[UNIFIED_DIM:] = 0
        model.action_out_proj.bias[UNIFIED_DIM:] = 0
