"""Policy and executor on two computers (two network namespaces), and the cable between them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .ros_island import Island, until

pytestmark = [pytest.mark.ros, pytest.mark.timeout(240)]
HERE = Path(__file__).resolve().parent
ROBOT, WORKSTATION = "10.213.7.1", "10.213.7.2"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Cable:
    """Two namespaces, `robot` and `workstation`, and a virtual cable between them."""

    def __init__(self) -> None:
        tag = f"kv{os.getpid() % 100000}"
        self.names = (f"{tag}r", f"{tag}w")
        self._ends = (f"{tag}a", f"{tag}b")

    def plug(self) -> None:
        robot, workstation = self.names
        for name in self.names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        first, second = self._ends
        ip("link", "add", first, "netns", robot, "type", "veth",
           "peer", "name", second, "netns", workstation)  # fmt: skip
        for name, end, address in zip(self.names, self._ends, (ROBOT, WORKSTATION), strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")

    def cut(self) -> None:
        ip("-n", self.names[0], "link", "set", self._ends[0], "down")

    def mend(self) -> None:
        ip("-n", self.names[0], "link", "set", self._ends[0], "up")

    def inside(self, which: int) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.names[which])

    def remove(self) -> None:
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.fixture
def cable() -> Iterator[Cable]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    cable = Cable()
    try:
        cable.plug()
    except subprocess.CalledProcessError as error:
        cable.remove()
        pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
    yield cable
    cable.remove()


def test_a_cut_cable_holds_and_a_mended_one_goes_on(
    cable: Cable, shell_environment: dict[str, str], tmp_path: Path
) -> None:
    settings = tmp_path / "executor.yaml"
    settings.write_text("plan_max_age: 1.0\njoints_max_age: 0.5\nhold_limit: 120.0\n")
    island = Island(shell_environment, tmp_path, ROBOT, cable.inside(0))
    try:
        island.master()
        island.start("roslaunch", "--wait", "kuavo_deploy", "sim.launch", "camera_hz:=1")
        island.start(
            "roslaunch", "--wait", "kuavo_deploy", "executor.launch", "auto_enable:=true",
            "move_to_start:=false", f"config:={settings}",
        )  # fmt: skip
        until(lambda: island.state() != "", "the executor is there", 60)
        island.start(
            sys.executable, str(HERE / "chunk_source.py"), "wave", "weighing",
            within=cable.inside(1), ROS_IP=WORKSTATION,
        )  # fmt: skip
        until(lambda: island.state() == "run", "it runs", 60)
        cable.cut()
        time.sleep(2.0)
        assert island.state() == "hold"
        cable.mend()
        until(lambda: island.state() == "run", "it goes on", 60)
    finally:
        island.end()
