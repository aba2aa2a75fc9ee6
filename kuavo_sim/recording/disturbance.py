"""A disturbance of the robot while an expert demonstrates, so that demonstrations show recoveries.

The arms are commanded the expert's targets plus a slowly wandering offset, and the base stops
beside where the expert sends it; recorded is what the expert wanted. A policy that imitates such
recordings has seen states beside the ideal path, with the way back from each (Laskey et al. 2017,
DART). A policy cannot see where in the odometry's frame it stands, so it will stop beside the best
place; its arms must know work that lies a few centimetres off.
"""

from __future__ import annotations

import math

import numpy as np

from kuavo_deploy.robot.layout import (
    ARM_INDICES,
    BASE_POSE,
    MOVE,
    MOVE_THRESHOLD,
    WALKING_ACTION_DIM,
)
from kuavo_sim.env import CONTROL_HZ

MEMORY = 0.7
"""An offset lasts about this long [s]."""
BASE_OFFSET = (0.05, 0.05, 0.06)
"""Largest offset of a stand: x, y [m], yaw [rad], where the arms' is the largest asked for."""
_ARMS = list(ARM_INDICES)


class Disturbance:
    """An Ornstein-Uhlenbeck offset on each arm joint, a constant one of the base's stands.

    Args:
        largest: the deviation of an episode's offsets is drawn from 0 … `largest` [rad].
        rng: draws strength and course.
    """

    def __init__(self, largest: float, rng: np.random.Generator) -> None:
        self.deviation = float(rng.uniform(0.0, largest))
        strength = self.deviation / largest if largest else 0.0
        self._stand = rng.uniform(-1, 1, 3) * BASE_OFFSET * strength
        self._rng = rng
        self._offset = np.zeros(len(_ARMS))
        self._keep = math.exp(-1.0 / (MEMORY * CONTROL_HZ))

    def __call__(self, action: np.ndarray) -> np.ndarray:
        """What the robot is told when the expert wants `action`; called once per period."""
        fresh = self._rng.normal(0.0, self.deviation, len(_ARMS))
        self._offset = self._keep * self._offset + math.sqrt(1.0 - self._keep**2) * fresh
        disturbed = np.array(action, dtype=float)
        disturbed[_ARMS] += self._offset
        if len(disturbed) == WALKING_ACTION_DIM and disturbed[MOVE] > MOVE_THRESHOLD:
            disturbed[BASE_POSE] += self._stand
        return disturbed
