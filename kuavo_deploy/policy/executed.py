"""Which chunks are really being executed, and how long it took until they were.

Real-time chunking conditions on what the robot does meanwhile. A chunk that was lost, refused or
overtaken on its way is not that, and the delay counts until the executor has it, not until it left.
"""

from __future__ import annotations

import threading
from collections import deque

from kuavo_deploy.policy.continuation import Chunk

_SAME = 1e-4
"""Stamps that differ by less are one [s]: they have been through a message."""
_WINDOW = 10


class Executed:
    """Keeps the last chunks that were handed over. Thread-safe.

    Args:
        confirmed: the executor tells what it took; else every chunk counts at once.
    """

    def __init__(self, confirmed: bool = False) -> None:
        self._confirmed = confirmed
        self._lock = threading.Lock()
        self._under_way: deque[Chunk] = deque(maxlen=_WINDOW)
        self._newest: Chunk | None = None
        self._delays: deque[float] = deque(maxlen=_WINDOW)

    def handed_over(self, chunk: Chunk, now: float) -> None:
        """A chunk leaves [s]."""
        with self._lock:
            self._under_way.append(chunk)
        if not self._confirmed:
            self.taken(chunk.epoch, chunk.stamp, now)

    def taken(self, epoch: str, stamp: float, at: float) -> None:
        """The executor executes the chunk of an observation since `at` [s]."""
        with self._lock:
            for chunk in self._under_way:
                if chunk.epoch == epoch and abs(chunk.stamp - stamp) < _SAME:
                    self._newest = chunk
                    self._delays.append(at - stamp)

    def forget(self) -> None:
        """Nothing is being executed any more."""
        with self._lock:
            self._newest = None
            self._under_way.clear()

    def newest(self, epoch: str) -> Chunk | None:
        """The chunk in execution, if it is of an epoch."""
        with self._lock:
            same = self._newest is not None and self._newest.epoch == epoch
            return self._newest if same else None

    @property
    def delay(self) -> float:
        """From observation to execution, the slow end of the last ten [s]."""
        with self._lock:
            return max(self._delays, default=0.0)
