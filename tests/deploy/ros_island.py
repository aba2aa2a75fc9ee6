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
        self._watcher: subprocess.Popen[bytes] | None = None

    def start(
        self, *command: str, within: tuple[str, ...] | None = None, log: str = "output.txt",
        **environment: str,
    ) -> subprocess.Popen[bytes]:  # fmt: skip
        place = self._within if within is None else within
        with (self._folder / log).open("ab") as output:
            process = subprocess.Popen(
                [*place, *command], env={**self.environment, **environment},
                stdout=output, stderr=subprocess.STDOUT,
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
        """What the executor said last; one process listens, a tool per question takes seconds."""
        if self._watcher is None or self._watcher.poll() is not None:
            self._watcher = self.start(
                "rostopic", "echo", STATE, log="states.txt", PYTHONUNBUFFERED="1"
            )
        said = (self._folder / "states.txt").read_text(errors="replace")
        return ([""] + re.findall(r'^data: "?(\w+)', said, re.MULTILINE))[-1]

    def stop_listening(self) -> None:
        """End the process that `state` started."""
        if self._watcher is not None:
            self.interrupt(self._watcher)
            self._watcher = None

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
        time.sleep(0.05)
