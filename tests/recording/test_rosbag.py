"""A bag that the real `rosbag record` wrote from the running simulation becomes an episode."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rosgraph

from kuavo_deploy.robot import topics
from kuavo_train.data.check.run import check_dataset
from kuavo_train.data.conversion import convert
from kuavo_train.tasks import task_named

pytestmark = pytest.mark.ros

RECORDED = (
    topics.SENSORS, topics.JOINT_CMD, topics.ARM_TRAJ, topics.CLAW_STATE, topics.CLAW_COMMAND,
    topics.ODOM, "/clock", *topics.CAMERA_TOPICS.values(),
)  # fmt: skip
SIMULATED = (
    "task:=weighing", "seed:=3", "expert:=true", "width:=160", "height:=120", "camera_hz:=10",
    # slower than real time, so that a busy machine loses no image on the way to the recorder
    "clock:=true", "wait_for_images:=true", "rate:=0.4",
)  # fmt: skip


@pytest.mark.timeout(200)
def test_a_bag_of_the_real_rosbag_converts(ros_master: Any, tmp_path: Path) -> None:
    bag = tmp_path / "bags" / "real.bag"
    bag.parent.mkdir()
    # the recorder follows the simulation's clock, as every node does with clock:=true
    rosgraph.Master("/test").setParam("/use_sim_time", True)
    recorder = _start(["rosbag", "record", "-O", str(bag), *RECORDED], ros_master, tmp_path / "r")
    simulation = _start(
        ["roslaunch", "--wait", "kuavo_deploy", "sim.launch", *SIMULATED],
        ros_master,
        tmp_path / "s",
    )
    try:
        growing = bag.with_suffix(".bag.active")
        _wait_for_bytes(growing, 6_000_000, 120, tmp_path / "s")
    finally:
        _stop(recorder)
        _stop(simulation)
    report = convert(bag.parent, task_named("weighing"), tmp_path / "out")
    (row,) = report.rows
    assert row["status"] == "converted", row
    checked = check_dataset(tmp_path / "out")
    assert checked.errors == []
    (episode,) = checked.episodes
    assert episode.frames >= 10
    assert np.ptp(episode.state, axis=0).max() > 0.02, "the expert moves"
    # servos follow: what was commanded is reached one period later, but for their lag
    assert np.abs(episode.action[:-1, :7] - episode.state[1:, :7]).max() < 0.25


def _start(command: list[str], master: Any, log: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, env=master.environment, cwd="/", stdin=subprocess.DEVNULL,
        stdout=log.open("wb"), stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for_bytes(file: Path, size: int, limit: float, log: Path) -> None:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if file.exists() and file.stat().st_size > size:
            return
        time.sleep(0.2)
    pytest.fail(f"the bag did not grow:\n{log.read_text(errors='replace')[-2000:]}")
