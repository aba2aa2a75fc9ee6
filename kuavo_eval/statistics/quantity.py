"""A number with its unit and interval, as it stands in `scores.json` and on every page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

LEVEL = 0.95
"""Of every interval, unless told otherwise."""
ALPHA = 0.05
"""Of every decision, unless told otherwise."""
FRACTION = "fraction"
"""The unit of a share 0…1; pages show it as per cent."""
P_VALUE = "p"
"""The unit of a p-value; pages show it to two digits."""


@dataclass(frozen=True)
class Quantity:
    """A measured number.

    value: None where nothing could be measured. unit: 'rad', 's', 'fraction', 'p', '' (none), ….
    low, high: interval; None where there is none. n: how many `of` it rests on.
    why: a sentence where value or interval is missing.
    """

    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    n: int | None = None
    of: str = ""
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Rate:
    """Successes among trials, with an interval of the success probability."""

    successes: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """Share of successes; None without trials."""
        return self.successes / self.trials if self.trials else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, those of a `Quantity` included."""
        return {**asdict(self), "value": self.value, "unit": FRACTION, "n": self.trials}
