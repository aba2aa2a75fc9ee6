"""`kuavo doctor` and a robot: each defect is really there, found, and named with what mends it."""

from __future__ import annotations

import json
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kuavo_cli.doctor import robot_checks, wire
from kuavo_cli.doctor.checkpoint_checks import check_checkpoint, open_trained
from kuavo_cli.doctor.command import examine
from kuavo_cli.doctor.result import Result
from kuavo_cli.doctor.robot_section import ANY_SIZE, examination
from kuavo_cli.doctor.survey import Survey
from kuavo_deploy.robot import topics
from kuavo_train.errors import CheckpointError
from tests.conftest import Master
from tests.deploy.ros_island import Island, until
from tests.deploy.tiny_policy import write_tiny_checkpoint

pytestmark = [pytest.mark.ros, pytest.mark.timeout(180), pytest.mark.xdist_group("doctor")]
RELAY = Path(__file__).resolve().parent / "relay.py"
ROOT = Path(__file__).resolve().parents[2]
RELAYED = (topics.SENSORS, topics.CLAW_STATE, topics.ODOM, *topics.CAMERA_TOPICS.values())
TRAINED: dict[str, tuple[int, int] | None] = dict.fromkeys(topics.CAMERAS, (640, 480))


def master(island: Island) -> Any:
    return xmlrpc.client.ServerProxy(island.environment["ROS_MASTER_URI"])


def answers(island: Island) -> bool:
    try:
        return bool(master(island).hasParam("/test", "/run_id")[2])
    except OSError:
        return False


def published(island: Island) -> dict[str, list[str]]:
    """Nodes by topic, as the master lists them."""
    return dict(master(island).getSystemState("/test")[2][0])


@pytest.fixture(scope="module")
def relayed(
    shell_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Island]:
    """A master with the simulated robot, and the relay between it and its topics."""
    island = Island(shell_environment, tmp_path_factory.mktemp("doctor"))
    try:
        island.master()
        until(lambda: answers(island), "the master is there", 60)
        parameters = {"task": "weighing", "width": 160, "height": 120, "camera_hz": 5.0,
                      "sensors_hz": 100.0}  # fmt: skip
        island.start(
            "rosrun", "kuavo_deploy", "sim_node.py",
            *(f"_{name}:={value}" for name, value in parameters.items()),
            *(f"{topic}:=/inside{topic}" for topic in RELAYED),
        )  # fmt: skip
        island.start(sys.executable, str(RELAY))
        until(lambda: {"/diagnostics", *RELAYED} <= set(published(island)), "all are there", 60)
        until(lambda: findings(island, 0.3)["joints"].status != "fail", "joints arrive", 60)
        yield island
    finally:
        island.end()


def findings(island: Island, seconds: float = 0.4, **options: Any) -> dict[str, Result]:
    """What the doctor finds, by name."""
    values: dict[str, Any] = {
        "end_effector": None, "cameras": TRAINED, "configs": ROOT / "configs", "demanded": True,
        **options,
    }  # fmt: skip
    checks = examination(island.environment["ROS_MASTER_URI"], seconds, **values)
    return {finding.name: finding for finding in examine(checks)}


BUSY = ("load", "restart it", "chrony")
"""Fixes of what a busy machine really has: slow or silent topics, stamps that arrive late."""


def failed(found: dict[str, Result]) -> list[str]:
    """Failures, without those of a busy machine."""
    return [
        name
        for name, one in found.items()
        if one.status == "fail" and not any(fix in one.fix for fix in BUSY)
    ]


def break_it(island: Island, defect: str) -> None:
    server = master(island)
    server.setParam("/test", "/defect", defect)
    until(lambda: server.getParam("/test", "/defect_in_force")[2] == defect, defect, 30)


@pytest.fixture
def island(relayed: Island) -> Island:
    """With nothing wrong."""
    break_it(relayed, "none")
    return relayed


@pytest.fixture
def defect(relayed: Island, request: pytest.FixtureRequest) -> str:
    """A defect between robot and topics, for one test."""
    break_it(relayed, request.param)
    return str(request.param)


def test_a_healthy_robot_has_no_failure_and_does_not_notice(island: Island) -> None:
    found: dict[str, Result] = {}

    def all_speak() -> bool:
        found.update(findings(island, 2.0))
        return "restart it" not in found["joints"].fix + found["head_cam_h"].fix

    until(all_speak, "joints and images", 60)
    assert failed(found) == [], found
    assert "28 joints" in found["joints"].found
    assert "160×120 (trained with 640×480, the same shape)" in found["head_cam_h"].found
    assert "version 45, lejuclaw" in found["robot"].found
    assert "/kuavo_sim obeys" in found["commands"].found
    assert found["operator"].status == "ok"
    assert found["arm mode"].found == "1, auto swing"
    assert not any(wire.CALLER in nodes for nodes in published(island).values())


@pytest.mark.parametrize(
    ("defect", "failing", "says", "fix"),
    [
        ("few joints", "joints", "26 joints, expected 28", "another robot version"),
        ("zero joints", "joints", "all arm positions are exactly 0", "power"),
        ("md5", "hands", "has MD5 sum 0123456789abcdef0123456789abcdef on the wire, "
         "1248da117aa3afe53a9556373bbf4d3d here", "source the robot's own workspace"),
        ("no hands", "hands", "nobody publishes /leju_claw_state", "--end-effector qiangnao"),
        ("no camera", "wrist_cam_l", "nobody publishes /cam_l/", "start the camera drivers"),
        ("wide camera", "head_cam_h", "320×180, but the checkpoint was trained with 640×480",
         "set the camera driver to 640×480"),
        ("black camera", "head_cam_h", "160×120, black", "cap"),
        ("no picture", "head_cam_h", "no image that can be decoded", "JPEG"),
        ("behind", "clocks", "behind this computer's clock", "chrony"),
        ("ahead", "clocks", "ahead of this computer's clock", "chrony"),
        ("no stamps", "clocks", "no stamps on /sensors_data_raw", "header.stamp"),
    ],
    indirect=["defect"],
)  # fmt: skip
def test_a_defect_is_found_alone_and_comes_with_its_fix(
    relayed: Island, defect: str, failing: str, says: str, fix: str
) -> None:
    seen: dict[str, Result] = {}

    def shows() -> bool:
        seen.update(findings(relayed))
        return seen[failing].status == "fail" and says in seen[failing].found

    until(shows, f"{failing}: {says}", 30)
    assert set(failed(seen)) <= {failing}, seen
    assert fix in seen[failing].fix


@pytest.mark.parametrize("defect", ["slow joints"], indirect=True)
def test_a_topic_that_is_too_slow_for_the_runtime_is_found(relayed: Island, defect: str) -> None:
    found = findings(relayed, 2.0)["joints"]
    assert found.status == "fail"
    assert "the robot holds after 0.2 s without" in found.found or "silent" in found.found


def test_in_a_simulation_s_time_lateness_by_this_computer_s_clock_says_nothing(
    island: Island,
) -> None:
    server = master(island)
    server.setParam("/test", "/use_sim_time", True)
    try:
        break_it(island, "behind")
        found = findings(island)
        assert found["clocks"].status == "info" and failed(found) == []
        assert "late" not in found["joints"].found
    finally:
        server.setParam("/test", "/use_sim_time", False)


def test_the_arms_mode_is_a_fact_until_the_executor_wants_them(island: Island) -> None:
    found = findings(island, 0.2)["arm mode"]
    assert found.status == "info" and "enabling switches to 2" in found.fix
    assert "True" in island.ask("rosservice", "call", topics.CHANGE_ARM_MODE, "2")
    assert findings(island, 0.2)["arm mode"] == Result("arm mode", "ok", "2, external control")
    survey = Survey("", services={topics.CHANGE_ARM_MODE}, arm_mode=1)
    taken = robot_checks.check_arm_mode(survey, "run")
    assert taken.status == "fail" and "the executor is in run" in taken.found


def test_second_publishers_are_named_with_the_command_that_ends_them(island: Island) -> None:
    """Somebody else commands the arms, a second source of odometry, and a pause is said."""
    publish = ("rostopic", "pub", "-r", "5")
    others = [
        island.start(*publish, topics.ARM_TRAJ, "sensor_msgs/JointState", "{}"),
        island.start(*publish, topics.ODOM, "nav_msgs/Odometry", "{}"),
        island.start(*publish, topics.PAUSE_STATE, "std_msgs/Bool", "data: true"),
    ]
    there = (topics.ARM_TRAJ, topics.PAUSE_STATE)
    until(lambda: set(there) <= set(published(island)), "the intruder is there", 30)
    until(lambda: len(published(island)[topics.ODOM]) == 2, "the second source is there", 30)
    (name,) = published(island)[topics.ARM_TRAJ]
    found = findings(island)
    assert failed(found) == ["odometry", "commands"]
    assert f"{topics.ARM_TRAJ} is also published by {name}" in found["commands"].found
    assert f"rosnode kill {name}" in found["commands"].fix
    assert "/odom is published by several: /relay, /rostopic" in found["odometry"].found
    assert found["operator"].status == "warn" and "paused" in found["operator"].found
    for other in others:
        other.terminate()
        other.wait(20)


@pytest.mark.parametrize(
    ("host", "says", "fix"),
    [
        ("kuavo-nuc.invalid", "this name is unknown here", "kuavo-nuc.invalid' to /etc/hosts"),
        ("127.0.0.1", "/gone cannot be reached: 127.0.0.1", "rosnode cleanup"),
    ],
)
def test_a_node_that_cannot_be_reached_is_named(
    island: Island, host: str, says: str, fix: str
) -> None:
    """A robot that calls itself by a name that only it knows; a node that was killed."""
    uri = f"http://{host}:1/"
    topic, kind = topics.DEXHAND_STATE, "sensor_msgs/JointState"
    master(island).registerPublisher("/gone", topic, kind, uri)
    try:
        found = findings(island, 0.2, end_effector="qiangnao")["hands"]
        assert found.status == "fail" and says in found.found
        assert fix in found.fix
    finally:
        master(island).unregisterPublisher("/gone", topic, uri)


def test_another_robot_version_and_other_hands_are_told_to_the_launch(island: Island) -> None:
    def says(**parameters: Any) -> dict[str, Result]:
        for name, value in parameters.items():
            master(island).setParam("/test", f"/{name}", value)
        return findings(island, 0.2)

    try:
        found = says(robot_version=42, end_effector_type="qiangnao")
        assert found["robot"].fix == "launch with robot_version:=42 end_effector:=qiangnao"
        assert "nobody publishes /dexhand/state" in found["hands"].found
        claw = findings(island, 0.2, end_effector="claw")
        assert "hands" not in failed(claw)
        assert "but /end_effector_type is 'qiangnao'" in claw["robot"].found
        assert "no limits for robot version 99" in says(robot_version=99)["robot"].found
        found = says(robot_version=45, armRealDof=12)
        assert "/armRealDof is 12, expected 14" in found["robot"].found
    finally:
        says(robot_version=45, end_effector_type="lejuclaw", armRealDof=14)


def test_a_master_without_a_robot(ros_master: Master) -> None:
    uri, bounds = ros_master.uri, {"configs": ROOT / "configs", "cameras": ANY_SIZE}
    for demanded, status in ((True, "fail"), (False, "info")):
        (found,) = examine(examination(uri, 0.2, end_effector=None, demanded=demanded, **bounds))
        assert (found.name, found.status) == ("robot", status)
        assert "sim.launch" in found.fix


@pytest.mark.slow
@pytest.mark.parametrize("defect", ["no camera"], indirect=True)
def test_the_whole_command_on_a_robot_with_a_defect(
    relayed: Island, defect: str, tmp_path: Path
) -> None:
    checkpoint = write_tiny_checkpoint(tmp_path / "best", np.zeros(14))
    report = tmp_path / "doctor.json"
    done = subprocess.run(
        ["kuavo", "doctor", "--robot", "--checkpoint", str(checkpoint), "--json", str(report)],
        env=relayed.environment, cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=200, executable=str(Path(sys.prefix) / "bin" / "kuavo"),
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "wrist_cam_l" in done.stderr
    findings = {one["name"]: one for one in json.loads(report.read_text())["checks"]}
    assert findings["wrist_cam_l"]["section"].startswith("Robot at http://127.0.0.1:")
    assert findings["checkpoint"]["status"] == "ok"
    assert "knows moving_grasp, weighing, placement, sorting" in findings["checkpoint"]["found"]


def test_a_checkpoint_that_is_damaged_or_of_other_versions(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "best", np.zeros(14))
    trained = open_trained(folder)
    assert trained.cameras == TRAINED
    assert check_checkpoint(trained).status == "ok"
    trained.manifest.lineage.packages.update(numpy="0.1")
    assert "trained with numpy 0.1 (here" in check_checkpoint(trained).found
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        open_trained(folder)
