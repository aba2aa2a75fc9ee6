"""The operator's enable expires when it is not renewed: absence means stop."""

from __future__ import annotations


class Deadman:
    """When was the enable last renewed?

    Args:
        limit: it expires after so long [s]; 0 is off.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._renewed_at: float | None = None

    def renew(self, now: float) -> None:
        """The operator still holds it."""
        self._renewed_at = now

    def expired(self, now: float) -> bool:
        """Must the arms stop?"""
        if self._limit <= 0:
            return False
        return self._renewed_at is None or not 0 <= now - self._renewed_at <= self._limit
