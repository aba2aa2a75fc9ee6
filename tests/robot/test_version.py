"""Limits come from a file per robot version and are refused when they make no sense."""

import numpy as np
import pytest
import yaml

from kuavo_deploy.robot.version import load_limits
from kuavo_train.tasks.registry import configs_root

FOLDER = configs_root() / "robot"


def test_the_right_arm_mirrors_the_left():
    limits = load_limits(45, FOLDER)
    assert limits.lower[1] == -0.349 and limits.upper[1] == 2.094
    assert limits.lower[8] == -2.094 and limits.upper[8] == 0.349
    assert limits.lower[3] == limits.lower[10] == -2.618
    assert (limits.lower < limits.upper).all()


def test_versions_differ():
    assert load_limits(42, FOLDER).upper[0] == 0.52
    assert load_limits(45, FOLDER).upper[0] == 1.571


def test_limits_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        load_limits(45, FOLDER).lower[0] = -9


def test_an_unknown_version_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"version 13.*45"):
        load_limits(13, FOLDER)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("left_arm_lower", [9.0] * 7),
        ("left_arm_upper", [1.0] * 6),
        ("arm_velocity", [np.nan] * 7),
        ("arm_jerk", [0.0] * 7),
        ("arm_acceleration", None),
    ],
)
def test_missing_nan_or_reversed_limits_are_refused(tmp_path, key, value):
    content = yaml.safe_load((FOLDER / "kuavo45.yaml").read_text())
    content[key] = value
    if value is None:
        del content[key]
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=r"broken\.yaml"):
        load_limits(45, tmp_path)
