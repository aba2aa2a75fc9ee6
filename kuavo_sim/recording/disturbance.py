"""A disturbance of the arms while an expert demonstrates, so that demonstrations show recoveries.

The robot is commanded the expert's targets plus a slowly wandering offset; recorded is what the
expert wanted. A policy that imitates such recordings has seen states beside the ideal path, with
the way back from each (Laskey et al. 2017, DART).
"""

from __future__ import annotations

import math

import numpy as np

from kuavo_deploy.robot.layout import ARM_INDICES
from kuavo_sim.env import CONTROL_HZ

MEMORY = 0.7
"""An offset lasts about this long [s]."""
_ARMS = list(ARM_INDICES)


class Disturbance:
    """An Ornstein-Uhlenbeck offset on each arm joint.

    Args:
        largest: the deviation of an episode's offsets is drawn from 0 … `largest` [rad].
        rng: draws strength and course.
    """

    def __init__(self, largest: float, rng: np.random.Generator) -> None:
        self.deviation = float(rng.uniform(0.0, largest))
        self._rng = rng
        self._offset = np.zeros(len(_ARMS))
        self._keep = math.exp(-1.0 / (MEMORY * CONTROL_HZ))

    def __call__(self, action: np.ndarray) -> np.ndarray:
        """What the robot is told when the expert wants `action`; called once per period."""
        fresh = self._rng.normal(0.0, self.deviation, len(_ARMS))
        self._offset = self._keep * self._offset + math.sqrt(1.0 - self._keep**2) * fresh
        disturbed = np.array(action, dtype=float)
        disturbed[_ARMS] += self._offset
        return disturbed
