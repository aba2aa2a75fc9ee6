"""How differently a demonstrator does the same thing twice.

The experts draw tempo, tilt, way points and so on; no observation tells a policy what was drawn,
so all of it is noise to who imitates them. Small whims make consistent demonstrations, which take
fewer to learn from (Mandlekar et al. 2021, arXiv 2108.03298: one proficient operator against many).
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Whims(np.random.Generator):
    """A generator whose draws lie nearer to their middle.

    Args:
        share: 1 leaves the draws as they are, 0 gives the middle each time.
        seed: as of `numpy.random.default_rng`.
    """

    def __init__(self, share: float, seed: Any) -> None:
        super().__init__(np.random.PCG64(seed))
        self._share = share

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Around (low + high) / 2."""
        middle = (np.asarray(low) + high) / 2
        return middle + self._share * (super().uniform(low, high, size) - middle)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Around loc."""
        return super().normal(loc, self._share * np.asarray(scale), size)
