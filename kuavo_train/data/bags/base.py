"""The base's action of walking tasks: target pose and move flag.

There is no public definition of how Leju's recordings mark that the base moves. Two sources:

carried: `/cmd_pose_world_synced` has the flag in `linear.z`, unused by the robot; the simulator
    of this project writes it there, so that its bags give back what was commanded.
derived: the base moves while its commanded pose changes, and afterwards until the odometry has
    arrived there (within 3 cm and 3°).

`auto` takes the carried flag where any message has one.
"""

from __future__ import annotations

import math

import numpy as np

from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.options import AUTO, MOVE_CARRIED, Options
from kuavo_train.data.bags.tracks import Track

ARRIVED_DISTANCE = 0.03
"""[m]"""
ARRIVED_ANGLE = math.radians(3)
COMMAND_STEP = 1e-6
"""Commanded poses that differ by no more [m, rad] are the same."""


def base_actions(
    command: Track, rows: np.ndarray, odometry: tuple[Track, np.ndarray] | None, options: Options
) -> np.ndarray:
    """The base's part of the actions, shape (n, 4): x, y [m], yaw [rad], move.

    Args:
        command: columns x, y, yaw, carried flag.
        rows: shape (n,): each frame's row in `command`.
        odometry: columns x, y, yaw, and each frame's row at the same moment.
        options: `move` chooses the flag's source.

    Raises:
        BagRefused: the flag has no source.
    """
    poses = command.values[rows, :3]
    carried = command.values[:, 3]
    if options.move == MOVE_CARRIED or (options.move == AUTO and carried.any()):
        move = carried[rows]
    elif odometry is None:
        raise BagRefused("/odom is missing, and the move flag is derived from it")
    else:
        move = _derived(poses, odometry[0].values[odometry[1]])
    return np.column_stack([poses, move])


def _derived(poses: np.ndarray, odometry: np.ndarray) -> np.ndarray:
    """The flag of each frame, shape (n,), from commanded and measured poses, both (n, 3)."""
    changes = np.zeros(len(poses), dtype=bool)
    changes[1:] = (np.abs(np.diff(poses, axis=0)) > COMMAND_STEP).any(axis=1)
    distance = np.hypot(*(poses[:, :2] - odometry[:, :2]).T)
    turn = np.abs((poses[:, 2] - odometry[:, 2] + np.pi) % (2 * np.pi) - np.pi)
    away = (distance > ARRIVED_DISTANCE) | (turn > ARRIVED_ANGLE)
    return (changes | away).astype(np.float64)
