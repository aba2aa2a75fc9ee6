"""Keeps simulated time in step with the wall clock, and says how well that goes."""

from __future__ import annotations

from collections.abc import Callable

MAX_LAG = 0.25
"""Further behind than this, the simulation gives the time up instead of racing after it [s]."""
_WINDOW = 1.0


class Pace:
    """When the next physics step is due.

    Args:
        clock: monotonic wall time [s].
        rate: simulated seconds per wall second.
        max_lag: see `MAX_LAG` [s].

    Attributes:
        lost: wall time given up so far [s].
        real_time_factor: achieved over the last second or so, relative to the wall clock.
    """

    def __init__(
        self, clock: Callable[[], float], rate: float = 1.0, max_lag: float = MAX_LAG
    ) -> None:
        if not rate > 0:
            raise ValueError(f"rate must be positive, is {rate}")
        self._clock, self._rate, self._max_lag = clock, rate, max_lag
        self._start = clock()
        self.lost = 0.0
        self.real_time_factor = rate
        self._window_start, self._window_simulated = self._start, 0.0

    def wait(self, simulated: float) -> float:
        """How long to sleep before the step that brings the simulation to `simulated` [s].

        Zero or less: the step is due or late.
        """
        now = self._clock()
        self._measure(now, simulated)
        ahead = self._start + self.lost + simulated / self._rate - now
        if ahead < -self._max_lag:
            self.lost -= ahead
            return 0.0
        return ahead

    def _measure(self, now: float, simulated: float) -> None:
        elapsed = now - self._window_start
        if elapsed >= _WINDOW:
            self.real_time_factor = (simulated - self._window_simulated) / elapsed
            self._window_start, self._window_simulated = now, simulated


class Every:
    """Ticks `hz` times per simulated second on steps of `timestep` [s], without drift.

    Raises:
        ValueError: hz is not in 0 … 1/timestep.
    """

    def __init__(self, hz: float, timestep: float) -> None:
        steps = round(1.0 / timestep)
        if not 0 <= hz <= steps:
            raise ValueError(f"a rate is 0…{steps} Hz, not {hz:g}")
        self._hz, self._steps = hz, steps

    def due(self, step: int) -> bool:
        """Does it tick at this step? Step 0 and every whole second are among the ticks."""
        return self._hz > 0 and _floor(step, self) != _floor(step - 1, self)


def _floor(step: int, every: Every) -> int:
    return int(step * every._hz // every._steps)


class RateMeter:
    """Events per second over the last window, for diagnostics."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since, self._count = clock(), 0

    def tick(self) -> None:
        """One event."""
        self._count += 1

    def read(self) -> float:
        """Events per second since the last reading."""
        now = self._clock()
        rate = self._count / max(now - self._since, 1e-9)
        self._since, self._count = now, 0
        return rate
