"""How long training steps took, and how much of it was waiting for data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Pace:
    """Adds up steps and the waits within them.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._steps = self._seconds = self._waited = 0.0

    @contextmanager
    def step(self) -> Iterator[None]:
        """One optimizer step, waiting included."""
        began = self._clock()
        yield
        self._seconds += self._clock() - began
        self._steps += 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The loader has nothing ready."""
        began = self._clock()
        yield
        self._waited += self._clock() - began

    @property
    def waiting_share(self) -> float | None:
        """Part of the steps' time; None before the first."""
        return self._waited / self._seconds if self._seconds else None

    @property
    def steps_per_second(self) -> float | None:
        """Of training alone: validation and saving don't count."""
        return self._steps / self._seconds if self._seconds else None
