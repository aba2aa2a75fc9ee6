"""How a comparison decides."""

from __future__ import annotations

from dataclasses import dataclass

from kuavo_eval.statistics import ALPHA
from kuavo_eval.statistics.power import POWER

SMALLEST = 0.1
"""The smallest difference of success rates that matters: ten points."""


@dataclass(frozen=True)
class Options:
    """Settings.

    alpha: all decisions of a comparison together are wrong at most so often. power: that 'more
    trials' are computed for. smallest: difference of success rates below which nobody cares.
    sequential: the trials are looked at while they come in (anytime-valid statistics).
    seed: of resampled episodes. measure: 'error' or 'loss', for offline evaluations.
    """

    alpha: float = ALPHA
    power: float = POWER
    smallest: float = SMALLEST
    sequential: bool = False
    seed: int = 0
    measure: str = "error"

    def __post_init__(self) -> None:
        """Raise ValueError for a share outside 0…1 or an unknown measure."""
        for name in ("alpha", "power", "smallest"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must lie between 0 and 1")
        if self.measure not in ("error", "loss"):
            raise ValueError(f"measure is {self.measure!r}: choose from error, loss")
