"""The model's arms are the robot's: origins, axes and limits of the vendor's model 45."""

import mujoco
import numpy as np
import pytest

from kuavo_deploy.robot.version import load_limits
from kuavo_sim.model.names import ARM_JOINTS, BASE_HEIGHT, ROBOT_XML
from kuavo_train.tasks.registry import configs_root

ORIGINS = [  # in the parent's frame, left arm [m]; the right arm mirrors y
    (-0.0175, 0.2927, 0.4245),
    (0, 0, 0),
    (0, 0, 0),
    (0.02, 0, -0.2837),
    (-0.02, 0, -0.127),
    (0, 0, -0.1065),
    (0, 0, -0.021),
]
AXES = ["y", "x", "z", "y", "z", "x", "y"]


@pytest.fixture(scope="module")
def model():
    return mujoco.MjModel.from_xml_path(str(ROBOT_XML))


@pytest.mark.parametrize("side", ["l", "r"])
@pytest.mark.parametrize("number", range(1, 8))
def test_joint_origins_and_axes(model, side, number):
    joint = model.joint(f"{side}_arm_{number}")
    origin = np.array(ORIGINS[number - 1]) * (1, 1 if side == "l" else -1, 1)
    assert np.allclose(model.body_pos[joint.bodyid[0]], origin)
    assert np.allclose(joint.axis, np.eye(3)["xyz".index(AXES[number - 1])])


def test_joint_limits_are_those_of_the_configuration(model):
    limits = load_limits(45, configs_root() / "robot")
    ranges = np.array([model.joint(name).range for name in ARM_JOINTS])
    assert np.allclose(ranges[:, 0], limits.lower, atol=1e-3)
    assert np.allclose(ranges[:, 1], limits.upper, atol=1e-3)


def test_the_hand_frame_is_where_the_vendor_has_it(model):
    for side, sign in (("l", -1), ("r", 1)):
        assert np.allclose(model.site(f"{side}_tcp").pos, [0, sign * 0.03, -0.17])


def test_the_head_camera_looks_down_by_28_degrees(model):
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    forward = -data.camera("head_cam_h").xmat.reshape(3, 3)[:, 2]
    assert np.arcsin(-forward[2]) == pytest.approx(0.489, abs=1e-3)
    position = data.camera("head_cam_h").xpos - [0, 0, BASE_HEIGHT]
    assert np.allclose(position, [-0.0185 + 0.0968, 0.0175, 0.6014 + 0.126])
