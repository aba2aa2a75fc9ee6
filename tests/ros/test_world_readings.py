"""What the sensors say, and what the parameter server tells about the robot."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from kuavo_deploy.robot.end_effectors import END_EFFECTORS, get_end_effector
from kuavo_deploy.robot.version import load_limits
from kuavo_sim.ros import messages
from kuavo_sim.ros.parameters import robot_parameters
from kuavo_sim.ros.settings import Settings
from kuavo_sim.ros.urdf import robot_description
from kuavo_sim.ros.world import World
from tests.ros.conftest import ROOT, make_world

STAMP = 1_700_000_000_123_456_789


def test_sensors_carry_28_joints_in_the_robots_order(world: World) -> None:
    for _ in range(10):
        world.step()
    readings = world.readings
    effector = get_end_effector("lejuclaw")
    message = messages.sensors(
        STAMP, readings.joints(), readings.base(), readings.hands(), effector
    )
    data = message.joint_data
    assert [len(x) for x in (data.joint_q, data.joint_v, data.joint_vd, data.joint_torque)] == (
        [28] * 4
    )
    assert data.joint_q[12:26] == pytest.approx(world.sim.robot.arm_positions)
    assert data.joint_q[26:] == pytest.approx(world.sim.robot.head_positions)
    assert message.header.stamp.to_nsec() == message.sensor_time.to_nsec() == STAMP
    assert message.imu_data.acc.z == pytest.approx(9.81)
    assert message.imu_data.quat.w == pytest.approx(1.0)


def test_joint_command_is_the_target(world: World) -> None:
    world.command("m", lambda b: b.arms.set_mode(2, 0.0))
    world.command("t", lambda b: b.arms.follow(np.full(14, -10.0)))
    world.step()
    message = messages.joint_command(STAMP, world.readings.joints())
    assert message.joint_q[12:26] == pytest.approx(world.sim.robot.arm_command)
    assert message.joint_q[12] == pytest.approx(np.deg2rad(-10.0))
    assert len(message.control_modes) == 28


@pytest.mark.parametrize("name", sorted(END_EFFECTORS))
def test_hand_state_decodes_to_the_closure(name: str) -> None:
    world = make_world(effector=name)
    world.body.hands.closures = np.array([1.0, 0.5])
    for _ in range(400):
        world.step()
    effector = get_end_effector(name)
    message = messages.hand_state(STAMP, world.readings.hands(), effector)
    data = message.data if name == "lejuclaw" else message
    closures = effector.closure_from_state(np.array(data.position))
    assert closures == pytest.approx(world.sim.robot.hand_closures)
    assert closures == pytest.approx([1.0, 0.5], abs=0.05)
    assert len(data.name) == len(data.position)


def test_a_claw_tells_whether_it_moves(world: World) -> None:
    world.body.hands.closures = np.array([1.0, 0.0])
    world.step()
    assert world.readings.hands().state == (1, 2)
    for _ in range(500):
        world.step()
    assert world.readings.hands().state == (2, 2)


def test_odometry_turns_velocities_into_the_robots_frame(world: World) -> None:
    world.body.base.walk_to(0.0, 0.0, np.pi / 2)
    for _ in range(1500):
        world.step()
    world.body.base.walk_to(0.0, -1.0, np.pi / 2)
    for _ in range(500):
        world.step()
    message = messages.odometry(STAMP, world.readings.base())
    assert message.twist.twist.linear.x < -0.2
    assert message.twist.twist.linear.y == pytest.approx(0.0, abs=0.01)
    assert (message.header.frame_id, message.child_frame_id) == ("odom", "base_link")
    assert message.pose.pose.position.z == pytest.approx(0.82)


@pytest.mark.parametrize("version", [40, 45])
def test_the_description_has_the_limits_of_the_robot_version(version: int) -> None:
    world = make_world(version=version)
    limits = load_limits(version, ROOT / "configs" / "robot")
    urdf = ET.fromstring(robot_description(world.sim.model, limits))
    names = [f"zarm_{side}{i}_joint" for side in "lr" for i in range(1, 8)]
    names += ["zhead_1_joint", "zhead_2_joint"]
    found = [urdf.find(f"joint[@name='{name}']/limit") for name in names]
    lower = [float(limit.get("lower")) for limit in found]
    upper = [float(limit.get("upper")) for limit in found]
    assert lower == pytest.approx([*limits.lower, *limits.head_lower], abs=1e-9)
    assert upper == pytest.approx([*limits.upper, *limits.head_upper], abs=1e-9)


def test_the_description_is_one_tree_with_the_vendors_link_names(world: World) -> None:
    limits = load_limits(45, ROOT / "configs" / "robot")
    urdf = ET.fromstring(robot_description(world.sim.model, limits))
    links = [link.get("name") for link in urdf.findall("link")]
    children = [joint.find("child").get("link") for joint in urdf.findall("joint")]
    assert sorted(children) == sorted(set(links) - {"base_link"})
    for name in ("zarm_l1_link", "zarm_r7_link", "zhead_2_link", "leg_l1_link", "leg_r6_link"):
        assert name in links


def test_forward_kinematics_of_the_description_match_the_simulation(world: World) -> None:
    limits = load_limits(45, ROOT / "configs" / "robot")
    urdf = ET.fromstring(robot_description(world.sim.model, limits))
    shoulder = urdf.find("joint[@name='zarm_l1_joint']")
    assert [float(v) for v in shoulder.find("origin").get("xyz").split()] == pytest.approx(
        [-0.0175, 0.2927, 0.4245]
    )
    elbow = urdf.find("joint[@name='zarm_r4_joint']")
    assert [float(v) for v in elbow.find("origin").get("xyz").split()] == pytest.approx(
        [0.02, 0.0, -0.2837]
    )


def test_parameters_are_those_that_clients_read(world: World) -> None:
    parameters = robot_parameters(Settings(end_effector="dexhand"), world.sim.model)
    parameters.pop("/humanoid_description")
    assert parameters == {
        "/robot_version": 45,
        "/robot_type": 2,
        "/armRealDof": 14,
        "/headRealDof": 2,
        "/legRealDof": 12,
        "/waistRealDof": 0,
        "/end_effector_type": "qiangnao",
        "/com_height": 0.82,
    }
