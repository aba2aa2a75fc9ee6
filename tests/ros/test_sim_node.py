"""The simulation node on a real ROS graph, as a client of the robot sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

import cv2
import numpy as np
import pytest
import rosgraph
import rospy
import rosservice
from diagnostic_msgs.msg import DiagnosticArray
from rosbags.rosbag1 import Reader
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Bool, String

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_deploy.robot.version import load_limits
from tests.ros.client import Client, wait_until
from tests.ros.conftest import ROOT, Launch

pytestmark = [pytest.mark.ros, pytest.mark.own_process]

PUBLISHED = {
    topics.SENSORS: ("kuavo_msgs/sensorsData", "f9f437eb06511eb4cb60f115760b94e5"),
    topics.JOINT_CMD: ("kuavo_msgs/jointCmd", "9ed16f87b9f90b25cdeeb417f3c21f9e"),
    topics.CLAW_STATE: ("kuavo_msgs/lejuClawState", "1248da117aa3afe53a9556373bbf4d3d"),
    topics.ODOM: ("nav_msgs/Odometry", "cd5e73d190d741a2f92e81eda573aca7"),
    **dict.fromkeys(
        topics.CAMERA_TOPICS.values(),
        ("sensor_msgs/CompressedImage", "8f7a12909da2c9d3332d540a0977563f"),
    ),
}
OBEYED = {
    topics.ARM_TRAJ: "sensor_msgs/JointState",
    topics.ARM_TARGET_POSES: "kuavo_msgs/armTargetPoses",
    topics.CLAW_COMMAND: "kuavo_msgs/lejuClawCommand",
    topics.DEXHAND_COMMAND: "kuavo_msgs/robotHandPosition",
    topics.GRIPPER_COMMAND: "sensor_msgs/JointState",
    topics.HEAD_COMMAND: "kuavo_msgs/robotHeadMotionData",
    topics.CMD_POSE_WORLD: "geometry_msgs/Twist",
    topics.CMD_POSE: "geometry_msgs/Twist",
    topics.CMD_VEL: "geometry_msgs/Twist",
    topics.PAUSE_STATE: "std_msgs/Bool",
    topics.STOP_STATE: "std_msgs/Bool",
}
SERVICE_MD5 = "c9b154cca802a6580a2e018ad49b7c5b"
ELBOWS = np.where(np.arange(14) % 7 == 3, 1.0, 0.0)


@pytest.fixture(scope="module")
def ros(ros_master: Any) -> None:
    rospy.init_node("test_sim_node", anonymous=True, disable_signals=True)


@pytest.fixture(scope="module")
def running(ros: None, roslaunch: Callable[..., Launch]) -> Iterator[Launch]:
    """The weighing scene with small images: these tests are about the rest."""
    launched = roslaunch("sim.launch", "task:=快递袋称重", "seed:=3", "width:=160", "height:=120")
    yield launched
    launched.end()


@pytest.fixture(scope="module")
def connected(running: Launch) -> Client:
    client = Client()
    client.connect()
    return client


@pytest.fixture
def robot(connected: Client) -> Client:
    """A client, and the scene at its start."""
    assert connected.reset(3).success
    time.sleep(0.2)
    return connected


@pytest.mark.parametrize(("topic", "expected"), PUBLISHED.items())
def test_topic_is_alive_with_the_robots_type_and_md5(
    connected: Client, topic: str, expected: tuple[str, str]
) -> None:
    heard = rospy.wait_for_message(topic, rospy.AnyMsg, timeout=10)
    header = heard._connection_header
    assert (header["type"], header["md5sum"]) == expected


def test_command_topics_have_the_robots_types(connected: Client) -> None:
    master = rosgraph.Master("/test_sim_node_types")
    types = dict(master.getTopicTypes())
    listening = {topic for topic, nodes in master.getSystemState()[1] if "/kuavo_sim" in nodes}
    assert {topic: types[topic] for topic in OBEYED if topic in listening} == OBEYED


@pytest.mark.parametrize(
    "name", [topics.CHANGE_ARM_MODE, topics.CHANGE_ARM_MODE_ALTERNATIVE, topics.GET_ARM_MODE]
)
def test_mode_services_are_the_robots(connected: Client, name: str) -> None:
    headers = rosservice.get_service_headers(name, rosservice.get_service_uri(name))
    assert (headers["type"], headers["md5sum"]) == ("kuavo_msgs/changeArmCtrlMode", SERVICE_MD5)


def test_parameters_tell_the_robot(connected: Client) -> None:
    names = ("/robot_version", "/robot_type", "/armRealDof", "/headRealDof", "/legRealDof")
    assert [rospy.get_param(name) for name in names] == [45, 2, 14, 2, 12]
    assert rospy.get_param("/end_effector_type") == "lejuclaw"
    urdf = ET.fromstring(rospy.get_param("/humanoid_description"))
    upper = [
        float(urdf.find(f"joint[@name='zarm_{side}{i}_joint']/limit").get("upper"))
        for side in "lr"
        for i in range(1, 8)
    ]
    assert upper == pytest.approx(load_limits(45, ROOT / "configs" / "robot").upper, abs=1e-9)


def test_joint_states_and_images_come_often_enough(robot: Client) -> None:
    images: list[float] = []
    listener = rospy.Subscriber(
        topics.CAMERA_TOPICS["head_cam_h"],
        CompressedImage,
        lambda message: images.append(message.header.stamp.to_sec()),
    )
    robot.arrivals[topics.SENSORS].clear()
    start = time.monotonic()
    time.sleep(3.0)
    elapsed = time.monotonic() - start
    listener.unregister()
    assert len(robot.arrivals[topics.SENSORS]) / elapsed > 100
    assert len(images) / elapsed > 5
    assert (np.diff(images) > 0).all()


def test_images_are_jpegs_of_the_scene_with_wall_stamps(connected: Client) -> None:
    stamps = []
    for topic in topics.CAMERA_TOPICS.values():
        message = rospy.wait_for_message(topic, CompressedImage, timeout=10)
        assert bytes(message.data[:2]) == b"\xff\xd8"
        image = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (120, 160, 3)
        assert image.std() > 10
        stamps.append(message.header.stamp.to_sec())
    assert stamps == pytest.approx([time.time()] * 3, abs=5.0)
    assert max(stamps) <= time.time()


def test_degrees_out_radians_back(robot: Client) -> None:
    assert robot.mode(2).result
    target = robot.arms - 0.4 * ELBOWS
    robot.command_arms(target)
    wait_until(lambda: np.abs(robot.arms - target).max() < 0.02, 8)


def test_ninety_degrees_are_half_pi(robot: Client) -> None:
    robot.mode(2)
    target = robot.arms.copy()
    target[3] = target[10] = np.deg2rad(-90.0) if target[3] > -1.57 else np.deg2rad(-120.0)
    robot.command_arms(target)
    wait_until(lambda: np.abs(robot.arms[[3, 10]] - target[[3, 10]]).max() < 0.02, 8)


@pytest.mark.parametrize("mode", [0, 1])
def test_arms_ignore_commands_outside_mode_2(robot: Client, mode: int) -> None:
    answer = robot.mode(mode)
    assert (answer.result, answer.mode) == (True, mode)
    before = robot.arms
    robot.command_arms(before - 0.4 * ELBOWS)
    wait_until(lambda: robot.state["refused_commands"] > 0, 8)
    time.sleep(0.5)
    assert robot.arms == pytest.approx(before, abs=0.02)


def test_the_mode_can_be_asked_for(robot: Client) -> None:
    robot.mode(2)
    ask = rospy.ServiceProxy(topics.GET_ARM_MODE, kuavo_msgs("srv").changeArmCtrlMode)
    assert ask(control_mode=0).mode == 2
    wrong = robot.mode(7)
    assert not wrong.result
    assert "0 keep, 1 auto swing, 2 external control" in wrong.message
    assert ask(control_mode=0).mode == 2


def test_target_poses_are_interpolated(robot: Client) -> None:
    robot.mode(2)
    start = robot.arms
    target = start - 0.4 * ELBOWS
    message = kuavo_msgs().armTargetPoses(times=[2.0], values=np.rad2deg(target).tolist())
    robot.poses.publish(message)
    wait_until(lambda: np.abs(robot.arms - start).max() > 0.1, 8)
    assert np.abs(robot.arms - target).max() > 0.05
    wait_until(lambda: np.abs(robot.arms - target).max() < 0.02, 8)


def test_walking_refuses_arms_until_it_stands(robot: Client) -> None:
    robot.mode(2)
    before = robot.arms
    refused = robot.state["refused_commands"]
    robot.command_walk(-0.4, 0.0, 0.0)
    wait_until(lambda: robot.state["walking"], 8)
    robot.command_arms(before - 0.4 * ELBOWS)
    wait_until(lambda: robot.state["refused_commands"] > refused, 8)
    wait_until(lambda: not robot.state["walking"], 20)
    assert robot.arms == pytest.approx(before, abs=0.03)
    assert robot.last[topics.ODOM].pose.pose.position.x == pytest.approx(-0.4, abs=0.01)
    robot.command_arms(before - 0.4 * ELBOWS)
    wait_until(lambda: np.abs(robot.arms - (before - 0.4 * ELBOWS)).max() < 0.02, 8)


def test_claw_closes_and_reports(robot: Client) -> None:
    message = kuavo_msgs().lejuClawCommand()
    message.data.name = ["left_claw", "right_claw"]
    message.data.position = [100.0, 30.0]
    message.data.velocity = [90.0, 90.0]
    message.data.effort = [1.0, 1.0]
    robot.claw.publish(message)
    wait_until(
        lambda: np.allclose(robot.last[topics.CLAW_STATE].data.position, [100, 30], atol=5), 8
    )
    assert list(robot.last[topics.CLAW_STATE].data.name) == ["left_claw", "right_claw"]


def test_head_turns(robot: Client) -> None:
    robot.head.publish(kuavo_msgs().robotHeadMotionData(joint_data=[15.0, 5.0]))
    wanted = np.deg2rad([15.0, 5.0])
    wait_until(
        lambda: np.allclose(robot.last[topics.SENSORS].joint_data.joint_q[26:], wanted, atol=0.02),
        8,
    )


def test_the_operators_stop_is_obeyed(robot: Client) -> None:
    robot.mode(2)
    robot.stop.publish(Bool(True))
    wait_until(lambda: robot.state["stopped"], 8)
    assert not robot.mode(2).result
    robot.stop.publish(Bool(False))
    wait_until(lambda: not robot.state["stopped"], 8)
    assert robot.state["arm_mode"] == 0
    assert robot.mode(2).result


def test_reset_changes_the_scene(robot: Client) -> None:
    assert robot.reset(7, "placement").message == "placement, seed 7"
    wait_until(lambda: (robot.state["task"], robot.state["seed"]) == ("placement", 7), 8)
    assert robot.state["time"] < 8
    wrong = robot.reset(7, "wieghing")
    assert not wrong.success
    assert "2 weighing" in wrong.message


def test_diagnostics_say_how_fast_it_is(connected: Client) -> None:
    def about_sim() -> Any:
        message = rospy.wait_for_message("/diagnostics", DiagnosticArray, timeout=10)
        return next(s for s in message.status if s.name.startswith("kuavo_sim"))

    values = {value.key: value.value for value in about_sim().values}
    assert 0 < float(values["real time factor"]) < 1.5
    assert float(values["joint states per second"]) > 100


def test_rosbag_record_writes_a_bag_that_rosbags_reads(
    connected: Client, ros_master: Any, tmp_path: Path
) -> None:
    bag = tmp_path / "episode.bag"
    subprocess.run(
        ["rosbag", "record", "--duration=3", "-O", str(bag), *PUBLISHED],
        env=ros_master.environment, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    with Reader(bag) as reader:
        types = {connection.topic: connection.msgtype for connection in reader.connections}
        md5 = {connection.topic: connection.digest for connection in reader.connections}
        counts = {topic: info.msgcount for topic, info in reader.topics.items()}
    assert set(types) == set(PUBLISHED)
    assert md5 == {topic: digest for topic, (_, digest) in PUBLISHED.items()}
    assert counts[topics.SENSORS] > 200
    assert all(count >= 3 for count in counts.values())


def test_a_subscriber_that_hangs_does_not_stop_the_robot(robot: Client, ros_master: Any) -> None:
    hanging = subprocess.Popen(
        ["rostopic", "hz", topics.SENSORS, "/cam_h/color/image_raw/compressed"],
        env=ros_master.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(2.0)
        os.kill(hanging.pid, signal.SIGSTOP)
        time.sleep(2.0)
        robot.arrivals[topics.SENSORS].clear()
        time.sleep(2.0)
        assert len(robot.arrivals[topics.SENSORS]) > 200
    finally:
        hanging.kill()
        hanging.wait()


def test_a_killed_node_comes_back_on_the_same_master(
    running: Launch, robot: Client, roslaunch: Callable[..., Launch]
) -> None:
    pid = rosnode_pid()
    os.kill(pid, signal.SIGKILL)
    running.process.wait(30)
    again = roslaunch("sim.launch", "task:=weighing", "seed:=3", "width:=160", "height:=120")
    wait_until(lambda: rosnode_pid() not in (0, pid), 40)
    robot.connect()
    assert robot.mode(2).result
    target = robot.arms - 0.3 * ELBOWS
    robot.command_arms(target)
    wait_until(lambda: np.abs(robot.arms - target).max() < 0.02, 8)
    again.end()


def rosnode_pid() -> int:
    """The simulation's process, 0 when it does not answer."""
    try:
        uri = rosgraph.Master("/test_sim_node_pid").lookupNode("/kuavo_sim")
        return int(ServerProxy(uri).getPid("/test_sim_node_pid")[2])
    except (OSError, rosgraph.MasterError):
        return 0


def test_a_wrong_task_ends_the_launch_with_the_right_ones(
    ros: None, roslaunch: Callable[..., Launch]
) -> None:
    launched = roslaunch("sim.launch", "task:=wieghing")
    launched.process.wait(60)
    text = launched.text()
    assert "unknown task 'wieghing'" in text
    for task in ("1 moving_grasp", "2 weighing (快递袋称重)", "3 placement", "4 sorting"):
        assert task in text
    assert "Traceback" not in text


def test_the_expert_succeeds_through_the_topics(
    ros: None, roslaunch: Callable[..., Launch]
) -> None:
    launched = roslaunch("sim.launch", "task:=weighing", "seed:=3", "expert:=true")
    state = watch_until_the_end()
    assert state["success"], state
    assert list(state["stages"]) == [
        "grasped", "on_scale", "weighed", "re_grasped", "in_bin",
    ]  # fmt: skip
    launched.end()


@pytest.mark.slow
@pytest.mark.parametrize("effector", ["qiangnao", "rq2f85"])
def test_the_expert_succeeds_with_the_other_hands(
    ros: None, roslaunch: Callable[..., Launch], effector: str
) -> None:
    launched = roslaunch(
        "sim.launch", "task:=weighing", "seed:=3", "expert:=true", f"end_effector:={effector}"
    )
    state = watch_until_the_end()
    launched.end()
    assert state["success"], state


@pytest.mark.slow
@pytest.mark.parametrize("task", ["moving_grasp", "placement", "sorting"])
def test_the_experts_of_the_other_tasks_succeed(
    ros: None, roslaunch: Callable[..., Launch], task: str
) -> None:
    launched = roslaunch("sim.launch", f"task:={task}", "seed:=3", "expert:=true")
    state = watch_until_the_end()
    launched.end()
    assert state["success"], state


def watch_until_the_end() -> dict[str, Any]:
    """The last state of the running episode."""
    states: list[dict[str, Any]] = []
    listener = rospy.Subscriber(
        "/kuavo_sim/state", String, lambda m: states.append(json.loads(m.data))
    )
    wait_until(
        lambda: bool(states) and (states[-1]["success"] or states[-1]["failure"] is not None), 120
    )
    listener.unregister()
    return states[-1]


@pytest.mark.slow
def test_a_minute_of_full_size_images_stays_in_time(
    ros: None, roslaunch: Callable[..., Launch]
) -> None:
    """Stamps rise evenly, memory does not grow, whatever else the machine does."""
    launched = roslaunch("sim.launch", "task:=weighing", "seed:=3")
    client = Client()
    client.connect()
    stamps: list[int] = []
    listener = rospy.Subscriber(
        topics.CAMERA_TOPICS["head_cam_h"],
        CompressedImage,
        lambda message: stamps.append(message.header.stamp.to_nsec()),
    )
    time.sleep(10)
    before = resident_mb(rosnode_pid())
    time.sleep(50)
    grown = resident_mb(rosnode_pid()) - before
    listener.unregister()
    launched.end()
    assert grown < 30
    assert len(stamps) > 100
    assert (np.diff(stamps) > 0).all()


def resident_mb(pid: int) -> float:
    """Memory of a process [MB]."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
