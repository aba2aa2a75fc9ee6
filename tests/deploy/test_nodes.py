"""The executor node on a real master with the simulated robot: operation and the fault table."""

from __future__ import annotations

import os
import signal
import time
import xmlrpc.client
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import rosgraph

from kuavo_deploy.robot import topics

from .world import LIMITS, assert_bounded

pytestmark = [pytest.mark.ros, pytest.mark.own_process, pytest.mark.timeout(180)]
PLAN_AGE, JOINTS_AGE = 1.0, 0.5
BUDGET = 0.6
"""On top of a stated bound: a loaded machine's scheduling, and the transport [s]."""


@pytest.fixture(scope="module")
def rig(ros_master: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    import rospy

    from .ros_rig import Rig

    rospy.init_node("operator", anonymous=True, disable_signals=True)
    folder = tmp_path_factory.mktemp("rig")
    settings = folder / "executor.yaml"
    settings.write_text(
        f"plan_max_age: {PLAN_AGE}\njoints_max_age: {JOINTS_AGE}\nhold_limit: 60.0\n"
    )
    rig = Rig(ros_master.environment, folder)
    try:
        rig.sim = rig.launch("sim.launch", "task:=weighing", "sensors_hz:=100", "camera_hz:=1")
        rig.launch("executor.launch", f"config:={settings}", "move_to_start:=false")
        rig.until(lambda: rig.state, "the executor's first word", 60)
        yield rig
    finally:
        rig.end_all()


@pytest.fixture
def running(rig: Any) -> Iterator[Any]:
    """A robot that follows chunks; the test may do anything to it."""
    rig.process = rig.source()
    rig.run()
    yield rig
    if rig.process.poll() is None:
        os.killpg(rig.process.pid, signal.SIGCONT)
    rig.end(rig.process)


def pid_of(node: str) -> int:
    """The process that runs a node; roslaunch's own is another."""
    uri = rosgraph.Master("/operator").lookupNode(node)
    return int(xmlrpc.client.ServerProxy(uri).getPid("/operator")[2])


def test_the_stream_follows_the_plans_and_ends_in_silence(running: Any) -> None:
    since = len(running.commands)
    running.until(lambda: len(running.commands) > since + 300, "three seconds of commands")
    moved = np.ptp(np.array([arms for _, arms in running.commands[since:]]), axis=0)
    assert (moved > 0.1).all(), "the wave has 0.2 rad from end to end"
    running.call("/kuavo_executor/disable")
    time.sleep(1.0)
    silent = len(running.commands)
    time.sleep(0.5)
    assert len(running.commands) == silent


def test_a_whole_run_with_late_ticks_is_bounded_from_enable_to_silence(running: Any) -> None:
    running.call("/kuavo_executor/disable")
    time.sleep(1.0)
    since = len(running.commands)
    running.run()
    executor = pid_of("/kuavo_executor")
    for _ in range(10):
        time.sleep(0.2)
        os.kill(executor, signal.SIGSTOP)  # its ticks come late, some of them close together
        time.sleep(0.05)
        os.kill(executor, signal.SIGCONT)
    running.call("/kuavo_executor/disable")
    time.sleep(1.0)
    assert len(running.streams(since)) >= 1
    for stream in running.streams(since):
        assert_bounded(stream, LIMITS)


def test_a_killed_policy_holds_within_the_plan_s_age_and_its_successor_goes_on(
    running: Any,
) -> None:
    os.killpg(running.process.pid, signal.SIGKILL)
    assert running.wait_for("hold") <= PLAN_AGE + BUDGET
    running.process = running.source()
    running.wait_for("run", 30)


def test_a_hung_policy_holds_and_goes_on_when_it_wakes_up(running: Any) -> None:
    os.killpg(running.process.pid, signal.SIGSTOP)
    assert running.wait_for("hold") <= PLAN_AGE + BUDGET
    os.killpg(running.process.pid, signal.SIGCONT)
    running.wait_for("run")


def test_dead_sensors_hold_and_a_fresh_plan_after_them_goes_on(running: Any) -> None:
    sim = pid_of("/kuavo_sim")
    os.kill(sim, signal.SIGSTOP)
    try:
        assert running.wait_for("hold") <= JOINTS_AGE + BUDGET
        assert topics.SENSORS in running.state
    finally:
        os.kill(sim, signal.SIGCONT)
    running.wait_for("run")


@pytest.mark.parametrize("kind", ["nan", "huge"])
def test_a_broken_policy_faults_and_only_the_operator_s_reset_helps(rig: Any, kind: str) -> None:
    healthy = rig.source("still")
    rig.run()
    since = len(rig.commands)
    rig.end(healthy)
    broken = rig.source(kind)
    try:
        rig.wait_for("fault", 30)
        done, why = rig.call("/kuavo_executor/enable")
        assert not done and "reset the fault first" in why
    finally:
        rig.end(broken)
    rest = np.array([arms for _, arms in rig.commands[since:]])
    assert np.isfinite(rest).all() and np.ptp(rest, axis=0).max() < 0.05
    assert rig.call("/kuavo_executor/reset_fault")[0]
    rig.wait_for("disabled")


def test_reordered_plans_are_dropped(rig: Any) -> None:
    source = rig.source("backwards")
    try:
        rig.run()
        since = len(rig.commands)
        time.sleep(1.5)
        assert rig.state.startswith("run:")
        assert np.ptp(np.array([a for _, a in rig.commands[since:]]), axis=0).max() < 0.3
    finally:
        rig.end(source)


def test_stale_plans_are_never_executed(rig: Any) -> None:
    rig.call("/kuavo_executor/disable")
    rig.call("/kuavo_executor/reset_fault")
    heard = len(rig.acknowledged)
    source = rig.source("old")
    try:
        rig.until(lambda: len(rig.acknowledged) > heard, "the source is there", 30)
        rig.until(lambda: rig.call("/kuavo_executor/enable")[0], "enabled")
        time.sleep(1.5)
        assert rig.state.startswith("ready:")
    finally:
        rig.end(source)


@pytest.mark.parametrize(
    ("topic", "kind"),
    [(topics.ARM_TRAJ, "sensor_msgs/JointState"), (topics.CMD_POSE_WORLD, "geometry_msgs/Twist")],
)
def test_a_second_publisher_faults(running: Any, topic: str, kind: str) -> None:
    import roslib.message
    import rospy

    other = rospy.Publisher(topic, roslib.message.get_message_class(kind), queue_size=1)
    try:
        running.wait_for("fault", 5)
        assert f"{topic} is also published by /operator" in running.state
    finally:
        other.unregister()


def test_the_robot_s_own_pause_and_stop_are_obeyed(running: Any) -> None:
    import rospy
    from std_msgs.msg import Bool

    pause = rospy.Publisher(topics.PAUSE_STATE, Bool, queue_size=1, latch=True)
    pause.publish(True)
    running.wait_for("paused")
    pause.publish(False)
    running.wait_for("run")
    pause.unregister()
    stop = rospy.Publisher(topics.STOP_STATE, Bool, queue_size=1, latch=True)
    stop.publish(True)
    running.wait_for("disabled")
    stop.publish(False)
    time.sleep(0.3)
    stop.unregister()


def test_a_switch_is_acknowledged_and_the_new_plans_are_executed(running: Any) -> None:
    import rospy
    from std_msgs.msg import String

    said = rospy.Publisher("/test/switch", String, queue_size=1)
    running.until(said.get_num_connections, "the source listens")
    for task in ("sorting", "placement", "weighing"):
        heard = len(running.acknowledged)
        said.publish(task)
        running.until(lambda: task in running.acknowledged[heard:], f"{task} acknowledged")  # noqa: B023
        running.wait_for("run")
    said.unregister()


def test_a_killed_executor_comes_back_disabled(running: Any) -> None:
    pid = pid_of("/kuavo_executor")
    since = len(running.states)
    os.kill(pid, signal.SIGKILL)
    running.until(
        lambda: any(s.startswith("disabled: not enabled yet") for s in running.states[since:]),
        "the executor is back", 40,
    )  # fmt: skip
    silent = len(running.commands)
    time.sleep(1.0)
    assert len(running.commands) == silent
    running.run()
