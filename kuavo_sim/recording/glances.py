"""From afar a demonstrator sees a thing a little off, from near as it is.

So demonstrations show the hand arriving beside the best place before a thing, getting straight
before it, and closing in: what a policy must know whose head camera tells places to a few
centimetres and whose wrist cameras tell them to millimetres, but only once a hand is near.
"""

from __future__ import annotations

import math

import numpy as np

_UP_OF_ASIDE = 0.3
"""Heights are seen so much better than places."""


class Glances:
    """How far off a thing is seen, drawn anew each time, evenly over a disc.

    Args:
        farthest: radius of the disc [m].
        rng: draws.
    """

    def __init__(self, farthest: float, rng: np.random.Generator) -> None:
        self._farthest, self._rng = farthest, rng

    def __call__(self) -> np.ndarray:
        """An offset (3,) in the world [m]."""
        aside = self._farthest * math.sqrt(self._rng.random())
        angle = self._rng.uniform(-math.pi, math.pi)
        up = self._farthest * _UP_OF_ASIDE * self._rng.uniform(-1, 1)
        return np.array([aside * math.cos(angle), aside * math.sin(angle), up])
