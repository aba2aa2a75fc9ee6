"""policy.launch beside a robot that is there already: every hand, a recording, shadow mode."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rosgraph
import yaml

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.end_effectors import EndEffector, get_end_effector
from kuavo_deploy.ros import names

from .chunk_source import WALK_TO
from .tiny_policy import HANDS, write_tiny_checkpoint

pytestmark = [pytest.mark.ros, pytest.mark.own_process, pytest.mark.slow, pytest.mark.timeout(600)]
LOADING = 180.0
"""Importing torch and lerobot on a loaded machine [s]."""
LIMIT = 120.0
"""A simulation that waits for its cameras takes its time [s]."""


@pytest.fixture(scope="module")
def posture(root: Path) -> np.ndarray:
    """Where weighing begins, shape (14,) [rad]."""
    postures = yaml.safe_load((root / "configs/deploy/start_postures.yaml").read_text())
    return np.array(postures["weighing"])


@pytest.fixture(scope="module")
def checkpoint(posture: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "best", posture)


@pytest.fixture(scope="module")
def rig(ros_master: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    import rospy

    from .ros_rig import Rig

    rospy.init_node("operator", anonymous=True, disable_signals=True)
    rig = Rig(ros_master.environment, tmp_path_factory.mktemp("field"))
    yield rig
    rig.end_all()
    rospy.set_param("/use_sim_time", False)


@pytest.fixture
def launched(rig: Any, checkpoint: Path) -> Iterator[Callable[..., list[Any]]]:
    """Starts a robot with some hands and policy.launch; both end with the test."""
    processes: list[Any] = []

    def launch(effector: str, *arguments: str) -> list[Any]:
        rig.states.clear(), rig.commands.clear(), rig.acknowledged.clear()
        hands = f"end_effector:={effector}"
        processes.append(rig.launch(
            "sim.launch", "task:=weighing", hands, "clock:=true", "wait_for_images:=true",
            "width:=160", "height:=120", "sensors_hz:=100",
        ))  # fmt: skip
        processes.append(rig.launch(
            "policy.launch", "task:=快递袋称重", hands, f"checkpoint:={checkpoint}", "device:=cpu",
            "auto_enable:=true", *arguments,
        ))  # fmt: skip
        rig.until(lambda: rig.state.startswith("run:"), "it runs", LOADING)
        return processes

    yield launch
    for process in reversed(processes):
        rig.end(process)


class Hands:
    """What is commanded on an effector's topic and what its state says, closures, shape (2,)."""

    def __init__(self, effector: EndEffector, prefix: str = "") -> None:
        import rospy

        from kuavo_deploy.ros import convert

        self.commanded: list[np.ndarray] = []
        self.measured = np.full(2, np.nan)
        claw = effector.command_type == "kuavo_msgs/lejuClawCommand"

        def hear(message: Any) -> None:
            if effector.command_type == "kuavo_msgs/robotHandPosition":
                numbers = [*message.left_hand_position, *message.right_hand_position]
            else:
                numbers = message.data.position if claw else message.position
            self.commanded.append(effector.closure_from_command(np.array(numbers)))

        def see(message: Any) -> None:
            self.measured = convert.hand_closures(effector, message)

        command, state = convert.hand_command_class(effector), convert.hand_state_class(effector)
        rospy.Subscriber(prefix + effector.command_topic, command, hear)
        rospy.Subscriber(effector.state_topic, state, see)


def kuavo(*arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.prefix) / "bin" / "kuavo"), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("effector", ["lejuclaw", "qiangnao", "rq2f85"])
def test_hands_follow_and_the_recorded_run_is_new_training_data(
    rig: Any, launched: Callable[..., list[Any]], posture: np.ndarray, effector: str, tmp_path: Path
) -> None:
    bags = tmp_path / "bags"
    bags.mkdir()
    hands = Hands(get_end_effector(effector))
    processes = launched(effector, "record:=true", f"record_to:={bags}")
    assert any(state.startswith("move_to_start:") for state in rig.states)
    reached = rig.commands[-1][1]
    assert np.abs(reached - posture).max() < 0.3, "it began where weighing begins"
    rig.until(lambda: np.abs(hands.measured - HANDS).max() < 0.1, "the hands are there", LIMIT)
    assert np.abs(hands.commanded[-1] - HANDS).max() < 0.15
    began = rig.commands[-1][0]
    rig.until(lambda: rig.commands[-1][0] > began + 3.0, "three seconds of the robot's time", LIMIT)
    rig.end(processes.pop())

    report = tmp_path / "conversion.json"
    data = tmp_path / "data"
    kuavo("data", "convert", str(bags), "--task", "weighing", "--out", str(data),
          "--json", str(report))  # fmt: skip
    assert "0 errors, 0 warnings" in kuavo("data", "check", str(data))
    facts = [json.loads(line) for line in (data / "meta/kuavo_episodes.jsonl").open()]
    assert len(facts) == 1 and facts[0]["length"] >= 25
    assert facts[0]["end_effector"] == effector


def test_a_recorded_walk_is_new_training_data_for_sorting(rig: Any, tmp_path: Path) -> None:
    """Base and arms take turns, and the dataset still has a whole action in every frame."""
    bags = tmp_path / "bags"
    bags.mkdir()
    rig.states.clear()
    robot = rig.launch(
        "sim.launch", "task:=sorting", "clock:=true", "wait_for_images:=true",
        "width:=160", "height:=120", "sensors_hz:=100",
    )  # fmt: skip
    executor = rig.launch("executor.launch", "move_to_start:=false")
    rig.until(lambda: rig.state, "the executor's first word", 60)
    recorder = rig.launch("record.launch", f"to:={bags}")
    rig.until(lambda: any(bags.iterdir()), "the bag is open", 60)
    source = rig.source("walk", "sorting")
    rig.run(LIMIT)
    began = rig.commands[-1][0]
    rig.until(lambda: rig.commands[-1][0] > began + 6.0, "there, and six seconds", LIMIT)
    for process in (recorder, source, executor, robot):
        rig.end(process)

    data = tmp_path / "data"
    kuavo("data", "convert", str(bags), "--task", "sorting", "--out", str(data))
    assert "0 errors" in kuavo("data", "check", str(data))
    (table,) = data.glob("data/*/*.parquet")
    actions = np.stack(pd.read_parquet(table)["action"])
    assert actions.shape[1] == layout.WALKING_ACTION_DIM
    move = actions[:, layout.MOVE]
    assert set(move) == {0.0, 1.0} and len(np.flatnonzero(np.diff(move))) == 2
    assert actions[-1, 16] == pytest.approx(WALK_TO, abs=1e-3)


def test_shadow_does_everything_but_command(
    rig: Any, launched: Callable[..., list[Any]]
) -> None:
    import rospy
    from sensor_msgs.msg import JointState

    claw = get_end_effector("lejuclaw")
    shadow: list[np.ndarray] = []
    rospy.Subscriber(
        names.SHADOW + topics.ARM_TRAJ, JointState,
        lambda m: shadow.append(layout.arms_from_degrees(np.array(m.position))),
    )  # fmt: skip
    hands = Hands(claw)
    launched("lejuclaw", "shadow:=true")
    rig.until(lambda: len(shadow) > 100, "shadow commands", LIMIT)
    published = dict(rosgraph.Master("/operator").getSystemState()[0])
    robot_s = (topics.ARM_TRAJ, topics.ARM_TARGET_POSES, claw.command_topic, topics.CMD_POSE_WORLD)
    assert not [t for t in robot_s if "/kuavo_executor" in published.get(t, [])]
    assert rig.commands == [] and hands.commanded == []
    mode = subprocess.run(
        ["rosservice", "call", topics.GET_ARM_MODE, "0"],
        capture_output=True, text=True, check=False, env=rig.environment,
    )  # fmt: skip
    assert "mode: 1" in mode.stdout, "the arms were not even taken over"
