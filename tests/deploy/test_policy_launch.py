"""`roslaunch kuavo_deploy policy.launch`: a real checkpoint drives the simulated robot."""

from __future__ import annotations

import os
import signal
import time
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rosgraph
import yaml

from .world import LIMITS

pytestmark = [pytest.mark.ros, pytest.mark.own_process, pytest.mark.slow, pytest.mark.timeout(400)]
LOADING = 120.0
"""Importing torch and lerobot on a loaded machine [s]."""


@pytest.fixture(scope="module")
def rig(ros_master: Any, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    import rospy

    from .ros_rig import Rig
    from .tiny_policy import write_tiny_checkpoint

    rospy.init_node("operator", anonymous=True, disable_signals=True)
    folder = tmp_path_factory.mktemp("policy")
    postures = yaml.safe_load((root / "configs/deploy/start_postures.yaml").read_text())
    checkpoint = write_tiny_checkpoint(folder / "best", np.array(postures["weighing"]))
    rig = Rig(ros_master.environment, folder)
    try:
        rig.launch(
            "policy.launch", "task:=快递袋称重", "sim:=true", "clock:=true",
            f"checkpoint:={checkpoint}", "device:=cpu",
        )  # fmt: skip
        rig.until(lambda: "weighing" in rig.acknowledged, "the first acknowledgement", LOADING)
        yield rig
    finally:
        rig.end_all()
        rospy.set_param("/use_sim_time", False)


def say(text: str) -> tuple[bool, str]:
    import rospy

    from kuavo_deploy.robot.messages import kuavo_msgs
    from kuavo_deploy.ros import names

    answer = rospy.ServiceProxy(names.SET_INSTRUCTION, kuavo_msgs("srv").SetString)(text)
    return answer.success, answer.message


def test_it_enables_itself_in_the_simulation_and_executes_chunks(rig: Any) -> None:
    rig.until(lambda: any(s.startswith("run:") for s in rig.states), "it runs", 60)
    assert any(s.startswith("move_to_start:") for s in rig.states)
    assert len(rig.commands) > 10
    sent = np.array([arms for _, arms in rig.commands])
    assert (sent <= LIMITS.upper).all() and (sent >= LIMITS.lower).all()


def test_the_service_switches_and_answers_after_the_acknowledgement(rig: Any) -> None:
    heard = len(rig.acknowledged)
    assert say("4") == (True, "sorting")
    rig.until(lambda: rig.acknowledged[heard:] == ["sorting"], "acknowledged")
    assert say("sorting") == (True, "sorting"), "the same again is acknowledged again"


def test_the_topic_switches_too(rig: Any) -> None:
    import rospy
    from std_msgs.msg import String

    said = rospy.Publisher("/kuavo_policy/instruction", String, queue_size=1, latch=True)
    heard = len(rig.acknowledged)
    said.publish("placement")
    rig.until(lambda: "placement" in rig.acknowledged[heard:], "acknowledged")
    said.unregister()


@pytest.mark.parametrize("text", ["", "make coffee", "x" * 10_240, "weigh\x00ing", "\udc80"])
def test_what_is_not_an_instruction_is_refused_and_the_old_task_goes_on(
    rig: Any, text: str
) -> None:
    heard = len(rig.acknowledged)
    try:
        done, why = say(text)
    except UnicodeEncodeError:
        return  # it cannot even be sent
    assert not done and why
    time.sleep(0.2)
    assert rig.acknowledged[heard:] == []


def test_a_killed_policy_comes_back_with_the_task_that_was_said_last(rig: Any) -> None:
    heard = len(rig.acknowledged)
    assert say("sorting")[0]
    rig.until(lambda: rig.acknowledged[heard:] == ["sorting"], "acknowledged")
    uri = rosgraph.Master("/operator").lookupNode("/kuavo_policy")
    pid = int(xmlrpc.client.ServerProxy(uri).getPid("/operator")[2])
    heard = len(rig.acknowledged)
    os.kill(pid, signal.SIGKILL)
    rig.until(lambda: rig.acknowledged[heard:], "it is back", LOADING)
    assert rig.acknowledged[heard:] == ["sorting"]
