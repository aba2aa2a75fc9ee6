"""How many threads a part of a chunk runs on, found by trying during the first chunks.

Large products gain from every core; many small ones lose more at each meeting of the threads than
they gain. Which it is depends on the policy, the part and the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

TRIES = 4
"""Runs with each number of threads; the shortest counts."""
LONG = 0.2
"""A part that takes longer is made of large products, and has no time for trials [s]."""


class Threads:
    """The choice for one part.

    Args:
        clock: [s].

    Attributes:
        chosen: the number; None while it is still being tried.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._most = torch.get_num_threads()
        self.chosen: int | None = self._most if self._most == 1 else None
        self._shortest: dict[int, float] = {}
        counts = {self._most, *(1 << power for power in range(self._most.bit_length()))}
        self._to_try = sorted(counts - {0}, reverse=True) * TRIES

    def run(self, work: Callable[[], None]) -> None:
        """Do it; the process's own number of threads is as before afterwards."""
        count = self.chosen or self._to_try.pop(0)
        before = torch.get_num_threads()
        if count != before:
            torch.set_num_threads(count)
        began = self._clock()
        try:
            work()
        finally:
            if count != before:
                torch.set_num_threads(before)
        if self.chosen is None:
            self._learn(count, self._clock() - began)

    def _learn(self, count: int, lasted: float) -> None:
        self._shortest[count] = min(lasted, self._shortest.get(count, lasted))
        if lasted > LONG and count == self._most:
            self.chosen = self._most
        elif not self._to_try:
            self.chosen = min(self._shortest, key=lambda tried: self._shortest[tried])
