"""A ROS master of its own, which a test may kill, and processes around it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path

from tests.conftest import free_port

STATE = "/kuavo_executor/state"


class Island:
    """A master of its own with processes around it; the test asks through ROS's own tools.

    Args:
        environment: of the project's shell.
        folder: for logs.
        address: of the master.
        within: a command that the master and the tools run under (`ip netns exec NAME`).
    """

    def __init__(
        self,
        environment: dict[str, str],
        folder: Path,
        address: str = "127.0.0.1",
        within: tuple[str, ...] = (),
    ) -> None:
        self.port = free_port()
        self.environment = {
            **environment, "ROS_MASTER_URI": f"http://{address}:{self.port}",
            "ROS_IP": address, "ROS_HOME": str(folder), "ROS_LOG_DIR": str(folder / "log"),
        }  # fmt: skip
        self._folder, self._within = folder, within
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self, *command: str, within: tuple[str, ...] | None = None, **environment: str
    ) -> subprocess.Popen[bytes]:
        place = self._within if within is None else within
        with (self._folder / "output.txt").open("ab") as log:
            process = subprocess.Popen(
                [*place, *command], env={**self.environment, **environment},
                stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._started.append(process)
        return process

    def master(self) -> subprocess.Popen[bytes]:
        """A roscore in a session of its own: when it ends, nothing else does."""
        return self.start("roscore", "-p", str(self.port))

    def kill_master(self) -> None:
        """kill −9 of the master itself; roscore, its parent, then ends too."""
        api = xmlrpc.client.ServerProxy(self.environment["ROS_MASTER_URI"])
        os.kill(int(api.getPid("/test")[2]), signal.SIGKILL)

    def ask(self, *command: str) -> str:
        try:
            done = subprocess.run(
                [*self._within, *command], env=self.environment,
                capture_output=True, text=True, timeout=15, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout

    def state(self) -> str:
        found = re.search(r'data: "?(\w+)', self.ask("rostopic", "echo", "-n1", STATE))
        return found.group(1) if found else ""

    def interrupt(self, process: subprocess.Popen[bytes], patience: float = 20) -> None:
        """Ctrl-C to one process and what it started, and wait for its end."""
        os.killpg(process.pid, signal.SIGINT)
        process.wait(patience)

    def end(self) -> None:
        for process in reversed(self._started):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
        for process in reversed(self._started):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def until(true: Callable[[], bool], what: str, limit: float) -> None:
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        time.sleep(0.2)
