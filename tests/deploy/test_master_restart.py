"""The ROS master dies and comes back: the robot goes on, and the operator finds it again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(240)]
HERE = Path(__file__).resolve().parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Island:
    """A master of its own, with processes around it that are found by their commands."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.port = free_port()
        self.environment = {
            **environment, "ROS_MASTER_URI": f"http://127.0.0.1:{self.port}",
            "ROS_HOME": str(folder), "ROS_LOG_DIR": str(folder / "log"),
        }  # fmt: skip
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / "output.txt").open("ab") as log:
            process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._started.append(process)
        return process

    def master(self) -> subprocess.Popen[bytes]:
        """A roscore in a session of its own: killed, nothing else dies with it."""
        return self.start("roscore", "-p", str(self.port))

    def ask(self, *command: str) -> str:
        try:
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, timeout=15,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout

    def state(self) -> str:
        found = re.search(r'data: "?(\w+)', self.ask("rostopic", "echo", "-n1", STATE))
        return found.group(1) if found else ""

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


STATE = "/kuavo_executor/state"


def until(true: Callable[[], bool], what: str, limit: float) -> None:
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        time.sleep(0.2)


@pytest.fixture
def island(shell_environment: dict[str, str], tmp_path: Path) -> Iterator[Island]:
    island = Island({**shell_environment, "ROS_IP": "127.0.0.1"}, tmp_path)
    yield island
    island.end()


def test_the_robot_goes_on_without_the_master_and_is_found_again_after_it(island: Island) -> None:
    master = island.master()
    island.start("roslaunch", "--wait", "kuavo_deploy", "sim.launch", "camera_hz:=1")
    island.start(
        "roslaunch", "--wait", "kuavo_deploy", "executor.launch", "auto_enable:=true",
        "move_to_start:=false",
    )  # fmt: skip
    island.start(sys.executable, str(HERE / "chunk_source.py"), "wave", "weighing")
    until(lambda: island.state() == "run", "it runs", 60)
    os.killpg(master.pid, signal.SIGKILL)
    master.wait()
    time.sleep(3.0)
    island.master()
    until(lambda: island.state() == "run", "it still runs, and can be found", 40)
    answer = island.ask("rosservice", "call", "/kuavo_executor/disable")
    assert "success: True" in answer
