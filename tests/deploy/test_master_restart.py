"""The ROS master dies and comes back: the robot goes on, and the operator finds it again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .ros_island import STATE, Island, until

pytestmark = [pytest.mark.ros, pytest.mark.timeout(240)]
HERE = Path(__file__).resolve().parent


@pytest.fixture
def island(shell_environment: dict[str, str], tmp_path: Path) -> Iterator[Island]:
    island = Island(shell_environment, tmp_path)
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
    island.kill_master()
    master.wait(30)
    assert island.ask("rosparam", "get", "/run_id") == "", "there is no master now"
    time.sleep(1.0)
    island.master()
    again = ("rostopic", "echo", "-n1", STATE)
    until(lambda: "run: " in island.ask(*again), "it still runs, and can be found", 40)
    answer = island.ask("rosservice", "call", "/kuavo_executor/disable")
    assert "success: True" in answer
