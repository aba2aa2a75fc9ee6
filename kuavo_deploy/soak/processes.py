"""A ROS master of its own and what is launched beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

import rosgraph

from kuavo_cli.ports import free_port

PATIENCE = 30.0


class Island:
    """A roscore on a free port of this computer; everything ends with it.

    Args:
        logs: folder for what the processes print.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Island:
        port = free_port()
        os.environ.update(
            ROS_MASTER_URI=f"http://127.0.0.1:{port}", ROS_IP="127.0.0.1",
            ROS_LOG_DIR=str(self._logs),
        )  # fmt: skip
        self.start("roscore", "-p", str(port))
        end = time.monotonic() + PATIENCE
        while not rosgraph.is_master_online():
            if time.monotonic() > end:
                raise RuntimeError(f"roscore does not start: {self._logs / 'roscore.txt'}")
            time.sleep(0.2)
        return self

    def start(self, *command: str) -> None:
        """Start a command; its output goes to a file with its name."""
        name = command[2] if command[0] == "roslaunch" else command[0]
        with (self._logs / f"{name}.txt").open("ab") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        self._started.append(process)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        for process in reversed(self._started):
            for how in (signal.SIGINT, signal.SIGKILL):
                if process.poll() is None:
                    os.killpg(process.pid, how)
                    try:
                        process.wait(PATIENCE)
                    except subprocess.TimeoutExpired:
                        continue


def resident(pid: int) -> float:
    """Memory of a process [MiB]."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
