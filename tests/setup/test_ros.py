"""ROS 1 really runs: roscore, roslaunch, rosrun, and nodes get the environment's Python."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Master
from tests.setup.launches import launch_commands

pytestmark = pytest.mark.ros

NODE = """#!/usr/bin/env python3
import pathlib, sys
import rospy, kuavo_deploy, kuavo_msgs.msg
rospy.init_node("probe")
pathlib.Path(rospy.get_param("~out")).write_text(sys.prefix)
"""
LAUNCH = """<launch>
  <arg name="out"/>
  <node pkg="probe_package" type="probe.py" name="probe" required="true" output="screen">
    <param name="out" value="$(arg out)"/>
  </node>
</launch>
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A ROS package with one node and one launch file."""
    folder = tmp_path / "probe_package"
    folder.mkdir()
    (folder / "package.xml").write_text(
        '<package format="2"><name>probe_package</name><version>0.0.1</version>'
        "<description>x</description><maintainer email='a@b.invalid'>a</maintainer>"
        "<license>Apache-2.0</license></package>"
    )
    (folder / "probe.py").write_text(NODE)
    (folder / "probe.py").chmod(0o755)
    (folder / "probe.launch").write_text(LAUNCH)
    return folder


def in_shell(master: Master, command: list[str], package: Path | None = None) -> str:
    environment = dict(master.environment)
    if package is not None:
        environment["ROS_PACKAGE_PATH"] += f":{package}"
    done = subprocess.run(
        command,
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_roslaunch_runs_a_node_with_the_environment_s_python(
    ros_master: Master, package: Path, tmp_path: Path, root: Path
) -> None:
    out = tmp_path / "out"
    in_shell(ros_master, ["roslaunch", "probe_package", "probe.launch", f"out:={out}"], package)
    assert out.read_text() == str(root / ".venv")


def test_rosrun_does_too(ros_master: Master, package: Path, tmp_path: Path, root: Path) -> None:
    out = tmp_path / "out"
    in_shell(ros_master, ["rosrun", "probe_package", "probe.py", f"_out:={out}"], package)
    assert out.read_text() == str(root / ".venv")


def test_the_tools_know_the_robot_s_messages(ros_master: Master) -> None:
    publish = "from kuavo_msgs.msg import lejuClawCommand as C; print(C._md5sum, C._type)"
    md5, name = in_shell(ros_master, ["python", "-c", publish]).split()
    # rostopic runs on the system's own Python.
    system = in_shell(ros_master, ["/usr/bin/python3", "-c", publish])
    assert system.split() == [md5, name]
    assert name == "kuavo_msgs/lejuClawCommand"


def test_the_package_is_found_at_once(ros_master: Master, root: Path) -> None:
    start = time.monotonic()
    assert in_shell(ros_master, ["rospack", "find", "kuavo_deploy"]).strip() == str(root)
    assert time.monotonic() - start < 2.0


def test_every_launch_file_of_the_project_parses(
    ros_master: Master, root: Path, tmp_path: Path
) -> None:
    commands = launch_commands(root, tmp_path)
    assert commands
    for name, *arguments in commands:
        command = ["roslaunch", "--files", "kuavo_deploy", name, *arguments]
        assert str(root / "launch" / name) in in_shell(ros_master, command).split()


def test_the_ros_tools_that_the_pages_name_are_there(ros_master: Master) -> None:
    for name in ("roscore", "roslaunch", "rosrun", "rostopic", "rosbag", "rosparam", "rostest"):
        assert shutil.which(name, path=ros_master.environment["PATH"]), name
