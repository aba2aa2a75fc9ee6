"""The state and action vectors: order, names, units. The only place that knows them.

    state  (16,): left arm 7 [rad], left hand 1 [0 open … 1 closed], right arm 7 [rad], right hand 1
    action (16,): the same, as targets
    action (20,): the same + base x, y [m], yaw [rad] in the odom frame + move [0…1]

Joint order in an arm: l1…l7 (shoulder to wrist), as in `/kuavo_arm_traj`, left arm first.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import numpy as np

ARM_DOF = 7
STATE_DIM = 16
BASE_DIM = 4
WALKING_ACTION_DIM = STATE_DIM + BASE_DIM

LEFT_ARM = slice(0, 7)
LEFT_HAND = 7
RIGHT_ARM = slice(8, 15)
RIGHT_HAND = 15
BASE_POSE = slice(16, 19)
MOVE = 19

ARM_INDICES = tuple(range(7)) + tuple(range(8, 15))
HAND_INDICES = (LEFT_HAND, RIGHT_HAND)

ARM_JOINT_NAMES = tuple(f"l_arm_{i}" for i in range(1, 8)) + tuple(
    f"r_arm_{i}" for i in range(1, 8)
)
STATE_NAMES = ARM_JOINT_NAMES[:7] + ("l_hand",) + ARM_JOINT_NAMES[7:] + ("r_hand",)
BASE_NAMES = ("base_x", "base_y", "base_yaw", "move")
ACTION_NAMES = STATE_NAMES + BASE_NAMES

MOVE_THRESHOLD = 0.5
"""Above it the base moves and the arms hold; at or below it the base stands."""

SENSOR_JOINT_COUNT = 28
"""Length of `joint_q` in `/sensors_data_raw`: legs 0–11, arms 12–25 (left, right), head 26–27."""
SENSOR_ARMS = slice(12, 26)
SENSOR_HEAD = slice(26, 28)


class Base(NamedTuple):
    """A base command or pose: x, y [m], yaw [rad] in the odom frame; move in 0…1."""

    x: float
    y: float
    yaw: float
    move: float = 0.0


class Parts(NamedTuple):
    """A vector taken apart. arms: shape (14,) [rad], left then right. hands: shape (2,), 0…1."""

    arms: np.ndarray
    hands: np.ndarray
    base: Base | None


def action_names(dim: int) -> tuple:
    """The names of an action vector of `dim` numbers (16 or 20)."""
    check_action_dim(dim)
    return ACTION_NAMES[:dim]


def check_action_dim(dim: int) -> None:
    """Raise ValueError unless `dim` is 16 (standing tasks) or 20 (walking tasks)."""
    if dim not in (STATE_DIM, WALKING_ACTION_DIM):
        raise ValueError(f"an action has {STATE_DIM} or {WALKING_ACTION_DIM} numbers, not {dim}")


def join(arms: np.ndarray, hands: np.ndarray, base: Base | None = None) -> np.ndarray:
    """Build a vector, shape (16,), or (20,) with a base.

    Args:
        arms: shape (14,) [rad], left 7 then right 7.
        hands: shape (2,), 0 open … 1 closed, left then right.
        base: target pose and move flag of walking tasks.
    """
    arms = np.asarray(arms, dtype=np.float64)
    hands = np.asarray(hands, dtype=np.float64)
    if arms.shape != (14,) or hands.shape != (2,):
        raise ValueError(
            f"arms have 14 numbers and hands 2, got shapes {arms.shape} and {hands.shape}"
        )
    vector = np.empty(STATE_DIM if base is None else WALKING_ACTION_DIM)
    vector[list(ARM_INDICES)] = arms
    vector[list(HAND_INDICES)] = hands
    if base is not None:
        vector[STATE_DIM:] = base
    return vector


def split(vector: np.ndarray) -> Parts:
    """Take a state or action of 16 or 20 numbers apart (see `Parts`)."""
    vector = np.asarray(vector, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError(f"a state or action is one-dimensional, got shape {vector.shape}")
    check_action_dim(vector.shape[0])
    base = Base(*(float(v) for v in vector[STATE_DIM:])) if len(vector) > STATE_DIM else None
    return Parts(vector[list(ARM_INDICES)], vector[list(HAND_INDICES)], base)


def arms_from_sensor_joints(joint_q: np.ndarray) -> np.ndarray:
    """Arm positions, shape (14,) [rad], out of the 28 `joint_q` of `/sensors_data_raw`."""
    joint_q = np.asarray(joint_q, dtype=np.float64)
    if joint_q.shape != (SENSOR_JOINT_COUNT,):
        raise ValueError(
            f"/sensors_data_raw carries {joint_q.size} joints, expected {SENSOR_JOINT_COUNT} "
            "(legs 12, arms 14, head 2): another robot version?"
        )
    return joint_q[SENSOR_ARMS]


def arms_to_degrees(arms: np.ndarray) -> np.ndarray:
    """[rad] → [deg], as `/kuavo_arm_traj` and `/kuavo_arm_target_poses` want them."""
    return np.rad2deg(np.asarray(arms, dtype=np.float64))


def arms_from_degrees(degrees: np.ndarray) -> np.ndarray:
    """[deg] → [rad]."""
    return np.deg2rad(np.asarray(degrees, dtype=np.float64))


Angle = TypeVar("Angle", float, np.ndarray)


def wrap_angle(angle: Angle) -> Angle:
    """The same angle, or each of an array, in (−π, π] [rad]."""
    return math.pi - (math.pi - angle) % (2.0 * math.pi)
