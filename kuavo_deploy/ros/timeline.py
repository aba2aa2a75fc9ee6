"""ROS time for the command stream: as steady as the monotonic clock, and never far from ROS time.

The stream goes on by the time between two readings. A wall clock that is being corrected (NTP)
would stretch or squeeze the motion, and the bounds with it.
"""

from __future__ import annotations

from typing import Callable

JUMP = 0.02
"""A larger difference from ROS time is taken over at once [s]; the executor notices."""
SLEW = 0.002
"""A smaller one is made up for at so many seconds per second: far below the stream's reserve."""
_READINGS = 3


class Timeline:
    """Call it for the time [s]. One call at a time.

    Args:
        wall: ROS time [s]. steady: monotonic [s].
    """

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float]) -> None:
        self._wall, self._steady = wall, steady
        self._last = steady()
        self._offset = wall() - self._last

    def __call__(self) -> float:
        """Now."""
        for _ in range(_READINGS):
            # a process that is interrupted between the two readings looks like a clock that jumps
            now = self._steady()
            error = self._wall() - now - self._offset
            if abs(error) <= JUMP:
                most = SLEW * (now - self._last)
                error = min(max(error, -most), most)
                break
        self._last = now
        self._offset += error
        return now + self._offset
