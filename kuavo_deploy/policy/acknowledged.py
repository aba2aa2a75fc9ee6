"""Which epoch the executor has acknowledged: the service that switches waits for it."""

from __future__ import annotations

import threading


class Acknowledged:
    """Thread-safe. A label may come from an older switch to the same task; an epoch cannot."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._epoch = ""

    def forget(self) -> None:
        """What is said next is acknowledged anew, even if it is the same again."""
        with self._changed:
            self._epoch = ""

    def heard(self, epoch: str) -> None:
        """The executor says that an epoch is in force."""
        with self._changed:
            self._epoch = epoch
            self._changed.notify_all()

    def wait(self, epoch: str, limit: float) -> bool:
        """Until an epoch is in force; False if it is not within `limit` [s]."""
        with self._changed:
            return self._changed.wait_for(lambda: self._epoch == epoch, limit)
