"""The vectors: order, units, and that taking apart and joining lose nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kuavo_deploy.robot import layout

finite = st.floats(-10, 10)
arms14 = arrays(float, 14, elements=finite)
hands2 = arrays(float, 2, elements=st.floats(0, 1))


def test_the_order_is_left_arm_left_hand_right_arm_right_hand():
    vector = layout.join(np.arange(14), np.array([100, 200]))
    assert vector.tolist() == [0, 1, 2, 3, 4, 5, 6, 100, 7, 8, 9, 10, 11, 12, 13, 200]
    assert layout.STATE_NAMES[layout.LEFT_HAND] == "l_hand"
    assert layout.STATE_NAMES[layout.RIGHT_HAND] == "r_hand"
    assert layout.STATE_NAMES[8] == "r_arm_1"


def test_walking_tasks_append_base_pose_and_move():
    vector = layout.join(np.zeros(14), np.zeros(2), layout.Base(1.0, 2.0, 0.5, 1.0))
    assert vector.shape == (20,)
    assert vector[layout.BASE_POSE].tolist() == [1.0, 2.0, 0.5]
    assert vector[layout.MOVE] == 1.0
    assert layout.action_names(20)[16:] == ("base_x", "base_y", "base_yaw", "move")


@given(arms14, hands2)
def test_split_undoes_join(arms, hands):
    parts = layout.split(layout.join(arms, hands))
    assert (parts.arms == arms).all() and (parts.hands == hands).all() and parts.base is None


@given(arms14, hands2, st.tuples(finite, finite, finite, st.floats(0, 1)))
def test_split_undoes_join_for_walking_tasks(arms, hands, base):
    assert layout.split(layout.join(arms, hands, layout.Base(*base))).base == base


@given(arms14)
def test_degrees_round_trip(arms):
    assert np.allclose(layout.arms_from_degrees(layout.arms_to_degrees(arms)), arms, atol=1e-12)
    assert layout.arms_to_degrees(np.full(14, math.pi / 2))[0] == pytest.approx(90)


def test_the_arms_are_joints_12_to_25_of_the_sensors():
    joints = np.arange(28.0)
    assert layout.arms_from_sensor_joints(joints).tolist() == list(range(12, 26))


@pytest.mark.parametrize("count", [0, 14, 26, 27, 29])
def test_another_joint_count_is_refused_by_its_number(count):
    with pytest.raises(ValueError, match=f"carries {count} joints, expected 28"):
        layout.arms_from_sensor_joints(np.zeros(count))


@pytest.mark.parametrize("dim", [0, 15, 17, 19, 32])
def test_another_vector_length_is_refused(dim):
    with pytest.raises(ValueError, match=f"16 or 20 numbers, not {dim}"):
        layout.split(np.zeros(dim))


@given(st.floats(-50, 50))
def test_wrapped_angles_are_the_same_direction(angle):
    wrapped = layout.wrap_angle(angle)
    assert -math.pi < wrapped <= math.pi
    assert math.cos(wrapped) == pytest.approx(math.cos(angle), abs=1e-9)
    assert math.sin(wrapped) == pytest.approx(math.sin(angle), abs=1e-9)
