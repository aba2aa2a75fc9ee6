"""A steady rhythm: late ticks are not made up for, so commands never burst."""

from __future__ import annotations

from typing import Callable


class Pace:
    """Waits for the next tick, which comes at least three quarters of a period after the last.

    Args:
        period: between ticks [s].
        clock: monotonic [s]. sleep: for so many seconds.
    """

    def __init__(
        self, period: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._period, self._clock, self._sleep = period, clock, sleep
        self._next = clock() + period

    def wait(self) -> None:
        """Until the next tick is due; a late one starts the rhythm anew."""
        now = self._clock()
        if now < self._next:
            self._sleep(self._next - now)
            now = self._clock()
        late = now - self._next > self._period / 4
        self._next = (now if late else self._next) + self._period
