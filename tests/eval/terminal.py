"""A person at a terminal: a program with a real one, what it prints, and what is typed."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.deploy.ros_island import until


class Terminal:
    """Runs a command in a folder, at a terminal of its own, as a shell in a window would."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command], env=environment, cwd=folder, stdin=slave,
            stdout=slave, stderr=slave,
        )  # fmt: skip
        os.close(slave)
        self._printed, self._seen = b"", 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._master, 4096)
            except OSError:  # the last program has closed it
                return
            if not piece:
                return
            self._printed += piece

    @property
    def text(self) -> str:
        """Everything that was printed."""
        return self._printed.decode(errors="replace").replace("\r\n", "\n")

    def until(self, words: str, limit: float = 600.0) -> None:
        """Wait until it is printed, after what was waited for before."""
        begin = self._seen

        def there() -> bool:
            assert self.process.poll() is None or words in self.text[begin:], self.text[-3000:]
            return words in self.text[begin:]

        until(there, f"{words!r} is printed, after {self.text[begin:][-1500:]}", limit)
        self._seen = self.text.index(words, begin) + len(words)

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._master, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Ctrl-C, the key."""
        os.write(self._master, b"\x03")

    def ended(self, limit: float = 600.0) -> int:
        """Wait for its end; its exit code."""
        return self.process.wait(limit)

    def close(self) -> None:
        """End whatever still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        os.close(self._master)
