"""Which instruction the policy works on, and the epoch that tells its plans from older ones."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from kuavo_deploy.executor.epochs import Announcement
from kuavo_deploy.policy.instructions import Instructions


class Switchboard:
    """Holds the current announcement. Thread-safe.

    Args:
        instructions: understands what is said.
        session: drawn anew by every process.
        starts: where each task's demonstrations began, 14 arm positions [rad].
    """

    def __init__(
        self,
        instructions: Instructions,
        session: str,
        starts: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self._instructions, self._session = instructions, session
        self._starts = dict(starts or {})
        self._lock = threading.Lock()
        self._number = 0
        self._current: Announcement | None = None

    @property
    def current(self) -> Announcement | None:
        """What is in force; None before the first instruction."""
        with self._lock:
            return self._current

    def switch(self, said: str) -> Announcement:
        """Begin a new epoch with what was said; saying the same again changes nothing.

        Raises:
            InstructionRefused: the old instruction stays.
        """
        instruction = self._instructions.understood(said)
        with self._lock:
            current = self._current
            if current is not None and current.instruction == instruction.text:
                return current
            self._number += 1
            epoch = f"{self._session}:{self._number}"
            start = tuple(self._starts.get(instruction.task, ()))
            self._current = Announcement(epoch, instruction.task, instruction.text, start)
            return self._current
