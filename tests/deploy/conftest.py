"""What the tests of the robot-side runtime share."""

from __future__ import annotations

from pathlib import Path

import pytest

from kuavo_deploy.robot.version import RobotLimits, load_limits


@pytest.fixture(scope="session")
def limits(root: Path) -> RobotLimits:
    """Robot version 45's."""
    return load_limits(45, root / "configs" / "robot")
