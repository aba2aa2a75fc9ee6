"""Why a bag cannot become an episode."""

from __future__ import annotations


class BagRefused(Exception):
    """The bag is not usable; the message is the reason in its report."""
