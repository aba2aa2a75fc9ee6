"""Inverse kinematics reach what they are asked for, inside the joints' limits."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kuavo_deploy.robot.version import load_limits
from kuavo_sim.experts.base import minimum_jerk, pointing
from kuavo_sim.experts.ik import ArmIK, Goal
from kuavo_train.tasks.registry import configs_root

REST = np.array([-0.1, 0.25, 0, -1.1, 0, 0, 0.3, -0.1, -0.25, 0, -1.1, 0, 0, 0.3])
LIMITS = load_limits(45, configs_root() / "robot")


@pytest.fixture(scope="module")
def ik():
    return ArmIK(REST)


@settings(max_examples=60, deadline=None)
@example(x=0.25, y=0.150390625, z=0.0, yaw=-0.5, side="r")  # its hand stays turned away
@given(
    x=st.floats(0.25, 0.4),
    y=st.floats(0.15, 0.45),
    z=st.floats(-0.08, 0.05),
    yaw=st.floats(-0.5, 0.5),
    side=st.sampled_from("lr"),
)
def test_the_work_area_is_reached_within_limits(ik, x, y, z, yaw, side):
    goal = Goal(np.array([x, y if side == "l" else -y, z]), pointing(0.9, yaw), (0.1, 0.1, 0.1))
    arms, error = ik.solve(REST, {side: goal}, iterations=60)
    assert error < 0.01
    assert (arms >= LIMITS.lower - 1e-6).all() and (arms <= LIMITS.upper + 1e-6).all()
    position, _ = ik.hand_pose(arms, side)
    assert np.linalg.norm(position - goal.position) == pytest.approx(error, abs=1e-6)


def test_out_of_reach_is_told_by_the_error(ik):
    _, error = ik.solve(REST, {"r": Goal(np.array([1.5, 0, 0]), pointing(0.9))})
    assert error > 0.5


def test_a_pointing_hand_points_where_it_says():
    assert np.allclose(pointing(0.0) @ [0, 0, -1], [0, 0, -1])
    assert np.allclose(pointing(np.pi / 2) @ [0, 0, -1], [1, 0, 0], atol=1e-12)
    assert np.allclose(pointing(np.pi / 2, yaw=np.pi / 2) @ [0, 0, -1], [0, 1, 0], atol=1e-12)
    assert np.allclose(pointing(np.pi / 4) @ [0, 1, 0], [0, 1, 0], atol=1e-12)


def test_minimum_jerk_starts_and_ends_at_rest():
    assert minimum_jerk(0) == 0 and minimum_jerk(1) == 1 and minimum_jerk(0.5) == 0.5
    assert minimum_jerk(0.01) < 1e-4 and 1 - minimum_jerk(0.99) < 1e-4
