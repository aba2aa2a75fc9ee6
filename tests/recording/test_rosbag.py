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
import rosbag
import rosgraph

from kuavo_deploy.robot import layout, topics
from kuavo_train.data.check.run import EpisodeRow, check_dataset
from kuavo_train.data.conversion import convert
from kuavo_train.tasks import task_named

pytestmark = pytest.mark.ros

RECORDED = (
    topics.SENSORS, topics.JOINT_CMD, topics.ARM_TRAJ, topics.CLAW_STATE, topics.CLAW_COMMAND,
    topics.ODOM, topics.ARM_TRAJ_SYNCED, topics.CMD_POSE_WORLD, topics.CMD_POSE_WORLD_SYNCED,
    "/clock", *topics.CAMERA_TOPICS.values(),
)  # fmt: skip
BYTES = 6_000_000
"""A little less than four seconds."""
LOOKED_AT = (
    topics.CLAW_COMMAND, topics.ARM_TRAJ_SYNCED, topics.CMD_POSE_WORLD_SYNCED, topics.ODOM,
)  # fmt: skip
SIMULATED = (
    "seed:=3", "expert:=true", "width:=160", "height:=120", "camera_hz:=10",
    # slower than real time, so that a busy machine loses no image on the way to the recorder
    "clock:=true", "wait_for_images:=true", "rate:=0.4",
)  # fmt: skip


@pytest.mark.timeout(200)
def test_a_bag_of_the_real_rosbag_converts(ros_master: Any, tmp_path: Path) -> None:
    bag = recorded("weighing", ros_master, tmp_path)
    episode = converted(bag, "weighing", tmp_path / "out")
    assert episode.frames >= 10
    assert np.ptp(episode.state, axis=0).max() > 0.02, "the expert moves"
    # servos follow: what was commanded is reached one period later, but for their lag
    assert np.abs(episode.action[:-1, :7] - episode.state[1:, :7]).max() < 0.25


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_walking_is_in_the_bag(ros_master: Any, tmp_path: Path) -> None:
    bag = recorded("sorting", ros_master, tmp_path)
    said: dict[str, list[Any]] = {}
    with rosbag.Bag(str(bag)) as reader:
        for topic, message, _ in reader.read_messages(topics=LOOKED_AT):
            said.setdefault(topic, []).append(message)
    assert set(said) == set(LOOKED_AT)
    for topic in (topics.ARM_TRAJ_SYNCED, topics.CLAW_COMMAND):
        stamps = [m.header.stamp.to_nsec() for m in said[topic]]
        assert np.diff(stamps).min() > 0, topic
        assert np.median(np.diff(stamps)) == 10_000_000, topic
    episode = converted(bag, "sorting", tmp_path / "out")
    assert episode.action.shape == (episode.frames, 20)
    moving = episode.action[:, 19] > layout.MOVE_THRESHOLD
    assert moving.sum() >= 10, "the expert walks to the workpiece first"
    held = episode.action[moving][1:, layout.ARM_INDICES]
    assert np.ptp(held, axis=0).max() < 0.01, "arms hold while the base moves"
    (target,) = np.unique(episode.action[moving][1:, layout.BASE_POSE].round(4), axis=0)
    stands_at = said[topics.ODOM][-1].pose.pose.position
    np.testing.assert_allclose(target[:2], (stands_at.x, stands_at.y), atol=0.03)


def recorded(task: str, master: Any, folder: Path) -> Path:
    """A bag of the first seconds of the expert's run."""
    bag = folder / "bags" / "real.bag"
    bag.parent.mkdir()
    # the recorder follows the simulation's clock, as every node does with clock:=true
    rosgraph.Master("/test").setParam("/use_sim_time", True)
    recorder = _start(["rosbag", "record", "-O", str(bag), *RECORDED], master, folder / "r")
    simulation = _start(
        ["roslaunch", "--wait", "kuavo_deploy", "sim.launch", f"task:={task}", *SIMULATED],
        master,
        folder / "s",
    )
    try:
        _wait_for_bytes(bag.with_suffix(".bag.active"), BYTES, 150, folder / "s")
    finally:
        _stop(recorder)
        _stop(simulation)
    return bag


def converted(bag: Path, task: str, out: Path) -> EpisodeRow:
    """The bag's episode, without errors."""
    report = convert(bag.parent, task_named(task), out)
    (row,) = report.rows
    assert row["status"] == "converted", row
    checked = check_dataset(out)
    assert checked.errors == []
    (episode,) = checked.episodes
    return episode


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
