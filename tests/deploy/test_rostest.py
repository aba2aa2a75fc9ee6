"""The package's rostests, as `rostest kuavo_deploy NAME.test` runs them on a robot's computer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(900)]
TESTS = 6
"""In tests/rostest/operation.py."""


def rostest(name: str, environment: dict[str, str], folder: Path, *arguments: str) -> str:
    """What it prints; its logs and results go into a folder."""
    places = {"ROS_HOME": folder, "ROS_LOG_DIR": folder / "log", "ROS_TEST_RESULTS_DIR": folder}
    done = subprocess.run(
        ["rostest", "kuavo_deploy", name, *arguments],
        env={**environment, **{key: str(value) for key, value in places.items()}},
        cwd="/", capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout


def test_the_executor_is_operated(shell_environment: dict[str, str], tmp_path: Path) -> None:
    printed = rostest("executor.test", shell_environment, tmp_path)
    assert f"TESTS: {TESTS}" in printed and "RESULT: SUCCESS" in printed


@pytest.mark.slow
def test_policy_launch_is_operated_with_a_barely_trained_checkpoint(
    shell_environment: dict[str, str], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "trained" / "best"
    printed = rostest("policy.test", shell_environment, tmp_path, f"checkpoint:={checkpoint}")
    assert (checkpoint / "manifest.json").is_file()
    assert f"TESTS: {TESTS}" in printed and "RESULT: SUCCESS" in printed
