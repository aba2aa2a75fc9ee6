"""A child process in a group of its own, that is ended whole and leaves a log."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from kuavo_cli.never_alone import NEVER_ALONE

_ENDINGS = ((signal.SIGINT, 20.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
"""How a group is asked to end, and how long it may take [s]."""


class Child:
    """Starts at once, from the main thread, and ends with this process.

    Args:
        command: to be run. log: its output is appended here. environment: default: this one's.
    """

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [*NEVER_ALONE, *command], env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def last_line(self, *containing: str) -> str:
        """The last line of its log (that contains one of these words)."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        fitting = [line for line in lines if not containing or any(w in line for w in containing)]
        return next((line.strip() for line in reversed(fitting) if line.strip()), "")

    def end(self) -> None:
        """Ctrl-C for the whole group, and harder where that does not help."""
        for how, patience in _ENDINGS:
            if self.code is not None:
                return
            os.killpg(self._process.pid, how)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
