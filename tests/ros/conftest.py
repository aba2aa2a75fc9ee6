"""A world without ROS, and the simulation node on a real master."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kuavo_deploy.robot.end_effectors import get_end_effector
from kuavo_deploy.robot.version import load_limits
from kuavo_sim.ros.world import World

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def world() -> World:
    """The weighing scene under outside command, at its start; nothing runs by itself."""
    return make_world()


def make_world(task: str = "weighing", effector: str = "lejuclaw", version: int = 45) -> World:
    limits = load_limits(version, ROOT / "configs" / "robot")
    return World(task, 3, get_end_effector(effector), limits)


@dataclass
class Launch:
    """A running roslaunch and where its output goes."""

    process: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self) -> int:
        """Ctrl-C; the exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait()


@pytest.fixture(scope="module")
def roslaunch(
    ros_master: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Launch]]:
    """Starts launch files of the package on the test's master; all of them end with the module."""
    started: list[Launch] = []
    folder = tmp_path_factory.mktemp("launch")

    def launch(file: str, *arguments: str) -> Launch:
        log = folder / f"{len(started)}.txt"
        process = subprocess.Popen(
            ["roslaunch", "--wait", "kuavo_deploy", file, *arguments],
            env={**ros_master.environment, "PYTHONUNBUFFERED": "1"},
            cwd="/", stdin=subprocess.DEVNULL, stdout=log.open("wb"),
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        started.append(Launch(process, log))
        return started[-1]

    yield launch
    for one in started:
        one.end()
