"""Policy and executor on two computers (two network namespaces), and the cable between them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kuavo_deploy.robot import topics

from .cable import Cable, Line, NoCable
from .ros_island import STATE, Island, until
from .run_bag import RunBag
from .world import LIMITS, assert_bounded

pytestmark = [pytest.mark.ros, pytest.mark.timeout(300)]
HERE = Path(__file__).resolve().parent
ROBOT, WORKSTATION = "10.213.7.1", "10.213.7.2"
PLAN_AGE = 1.0
BUDGET = 0.6
"""On top of the stated bound: a loaded machine's scheduling, and the transport [s]."""
WLAN = Line(delay=0.03, jitter=0.02, loss=0.02)
BAD = Line(delay=0.15, jitter=0.1, loss=0.3)


@pytest.fixture
def cable() -> Iterator[Cable]:
    cable = Cable((ROBOT, WORKSTATION))
    try:
        cable.plug()
    except NoCable as why:
        pytest.skip(str(why))
    yield cable
    cable.remove()


@pytest.fixture
def island(
    cable: Cable, shell_environment: dict[str, str], tmp_path: Path
) -> Iterator[Island]:
    """The robot's computer: master, simulated robot, executor, a recorder."""
    settings = tmp_path / "executor.yaml"
    settings.write_text(f"plan_max_age: {PLAN_AGE}\njoints_max_age: 0.5\nhold_limit: 120.0\n")
    island = Island(shell_environment, tmp_path, ROBOT, cable.inside(0))
    try:
        island.master()
        island.start(
            "roslaunch", "--wait", "kuavo_deploy", "sim.launch", "camera_hz:=1", "sensors_hz:=100"
        )
        island.start(
            "roslaunch", "--wait", "kuavo_deploy", "executor.launch", "auto_enable:=true",
            "move_to_start:=false", f"config:={settings}",
        )  # fmt: skip
        until(lambda: island.state() != "", "the executor is there", 60)
        yield island
    finally:
        island.end()


def test_delay_loss_and_a_cut_cable_hold_and_the_robot_goes_on_by_itself(
    cable: Cable, island: Island, tmp_path: Path
) -> None:
    bag = tmp_path / "run.bag"
    recorder = island.start("rosbag", "record", "-O", str(bag), topics.ARM_TRAJ, STATE)
    # the bag must hold every stream from its beginning, at rest
    until(lambda: "/record" in island.ask("rostopic", "info", topics.ARM_TRAJ), "it records", 60)
    time.sleep(1.0)
    island.start(
        sys.executable, str(HERE / "chunk_source.py"), "wave", "weighing",
        within=cable.inside(1), ROS_IP=WORKSTATION,
    )  # fmt: skip
    until(lambda: island.state() == "run", "it runs", 60)

    cable.line = WLAN
    time.sleep(4.0)
    assert cable.lost > 0
    until(lambda: island.state() == "run", "WLAN is no obstacle", 20)
    cable.line = BAD
    time.sleep(4.0)
    cable.line = Line()
    until(lambda: island.state() == "run", "it goes on", 60)

    cut_at = time.time()
    cable.cut()
    until(lambda: island.state() == "hold", "it holds", 20)
    time.sleep(1.0)
    cable.mend()
    mended_at = time.time()
    until(lambda: island.state() == "run", "it goes on with the next plan", 60)
    island.interrupt(recorder)
    # its launcher may end before the program that closes the bag
    until(bag.is_file, "the bag is closed", 20)

    run = RunBag(bag)
    held = [at for at, state in run.states if state.startswith("hold:") and at > cut_at]
    assert held[0] - cut_at <= PLAN_AGE + BUDGET
    assert [state for at, state in run.states if held[0] < at < mended_at] == []
    enabled = [state for _, state in run.states if not state.startswith("disabled: not enabled")]
    assert not any(state.startswith(("fault", "disabled")) for state in enabled), enabled
    assert run.streams()
    for stream in run.streams():
        assert_bounded(stream, LIMITS)
    standing = run.arms_between(held[0] + 0.6, mended_at)
    assert len(standing) > 20 and np.ptp(standing, axis=0).max() < 1e-3
