"""The executor's node under the robot's own Python, 3.8, beside a robot and a policy of ours.

KUAVO_PYTHON38 names an interpreter that has numpy, pyyaml, ruckig, rospkg, defusedxml and distro:

    python3.8 -m venv py38 && py38/bin/pip install "numpy<1.25" pyyaml "ruckig<0.13" rospkg \
        catkin_pkg defusedxml distro
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .ros_island import Island, until
from .test_boundaries import python38

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(300)]
HERE = Path(__file__).resolve().parent
ROS_PYTHON = Path("/usr/lib/python3/dist-packages")
PURE = ("catkin", "ros[a-z]*", "gen[a-z]*", "*_msgs", "*_srvs")
"""ROS's own packages, pure Python; the others of that folder are compiled for another Python."""


@pytest.fixture
def island(shell_environment: dict[str, str], tmp_path: Path) -> Iterator[Island]:
    island = Island(shell_environment, tmp_path)
    yield island
    island.end()


def test_the_node_drives_the_robot_under_python_3_8(
    island: Island, root: Path, tmp_path: Path
) -> None:
    python = python38()
    if python is None:
        pytest.skip("KUAVO_PYTHON38 names no Python 3.8 with what the executor needs")
    packages = tmp_path / "ros_python"
    packages.mkdir()
    found = {package for pattern in PURE for package in ROS_PYTHON.glob(pattern)}
    for package in found:
        if package.is_dir() and package.name != "rospkg":
            (packages / package.name).symlink_to(package)
    path = ":".join([str(root), str(packages), island.environment["PYTHONPATH"]])
    island.master()
    island.start(
        "roslaunch", "--wait", "kuavo_deploy", "sim.launch", "camera_hz:=1", "sensors_hz:=100"
    )
    until(lambda: "/kuavo_sim" in island.ask("rosnode", "list"), "a robot", 60)
    island.start(
        python, str(root / "kuavo_deploy/nodes/executor_node.py"), "__name:=kuavo_executor",
        f"_configs:={root / 'configs'}", "_auto_enable:=true", "_move_to_start:=false",
        PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1",
    )  # fmt: skip
    island.start(sys.executable, str(HERE / "chunk_source.py"), "wave", "weighing")
    until(lambda: island.state() == "run", "it runs", 90)
    version = island.ask("rosparam", "get", "/kuavo_executor/auto_enabled")
    assert "true" in version
    answer = island.ask("rosservice", "call", "/kuavo_executor/disable")
    assert "success: True" in answer
    until(lambda: island.state() == "disabled", "it is disabled", 20)
