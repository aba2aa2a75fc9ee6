"""The hands' command stream: closures in 0…1, changing at a bounded speed."""

from __future__ import annotations

import numpy as np


class HandStream:
    """Follows closures, shape (2,), 0 open … 1 closed.

    Args:
        speed: at most, in closures per second.
    """

    def __init__(self, speed: float) -> None:
        if not speed > 0:
            raise ValueError(f"the hands' speed must be positive, got {speed!r}")
        self._speed = speed
        self.closure: np.ndarray | None = None

    def start(self, measured: np.ndarray) -> None:
        """Begin at measured closures."""
        self.closure = np.clip(np.array(measured, dtype=np.float64), 0.0, 1.0)

    def stop(self) -> None:
        """Forget the stream."""
        self.closure = None

    def follow(self, wanted: np.ndarray | None, elapsed: float) -> np.ndarray | None:
        """The next sample, `elapsed` seconds after the last; None keeps it."""
        if self.closure is not None and wanted is not None:
            step = self._speed * elapsed
            change = np.clip(np.clip(wanted, 0.0, 1.0) - self.closure, -step, step)
            self.closure = self.closure + change
        return self.closure
