"""Is something still coming in? One `Freshness` per source, asked at every tick."""

from __future__ import annotations

import math


class Freshness:
    """The age of a source of stamped messages.

    A message counts only when its own stamp is a time, not in the future, not older than the
    limit, and not before an earlier one's; otherwise it is as if it had not come.

    Args:
        name: for reasons, e.g. the topic.
        max_age: of the stamp, and of the arrival [s].
        ahead: how far the sender's clock may be ahead [s].
    """

    def __init__(self, name: str, max_age: float, ahead: float = 0.05) -> None:
        if not max_age > 0:
            raise ValueError(f"{name}: the maximum age must be positive, got {max_age!r}")
        self.name, self.max_age, self._ahead = name, max_age, ahead
        self._stamp: float | None = None
        self._refused: str | None = None

    def saw(self, stamp: float, now: float) -> bool:
        """A message came; does it count?"""
        self._refused = self._problem(stamp, now)
        if self._refused is None:
            self._stamp = stamp
        return self._refused is None

    def _problem(self, stamp: float, now: float) -> str | None:
        if not math.isfinite(stamp) or stamp <= 0:
            return f"{self.name} has no stamp"
        if stamp > now + self._ahead:
            return f"{self.name} is {stamp - now:.3f} s in the future: are the clocks synchronized?"
        if now - stamp > self.max_age:
            return f"{self.name} arrives {now - stamp:.2f} s late"
        if self._stamp is not None and stamp < self._stamp <= now + self._ahead:
            return f"{self.name} runs backwards"
        return None

    def forget(self) -> None:
        """Start again, as if nothing had come (the clock was set back)."""
        self._stamp = self._refused = None

    def problem(self, now: float) -> str | None:
        """Why the source cannot be trusted now; None when it can."""
        if self._stamp is None:
            return self._refused or f"{self.name} is not there"
        age = now - self._stamp
        if age <= self.max_age:
            return None
        return self._refused or f"{self.name} is {age:.2f} s old, {self.max_age:.2f} s are allowed"

    def age(self, now: float) -> float | None:
        """[s] of the newest message that counted."""
        return None if self._stamp is None else now - self._stamp
