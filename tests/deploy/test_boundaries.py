"""What may import what, what may never be used, and the robot's own Python."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LOGIC = ("safety", "executor", "policy", "robot")
ROBOT_SIDE = ("safety", "executor", "robot")
ROS = {"rospy", "rosgraph", "roslib", "genpy", "std_msgs", "sensor_msgs", "trajectory_msgs"}
HEAVY = {"torch", "lerobot", "transformers", "cv2", "scipy", "kuavo_train", "kuavo_sim"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
CLOCKS = {("time", "time"), ("time", "monotonic"), ("time", "perf_counter"), ("rospy", "Time")}


def sources(root: Path, *packages: str) -> Iterator[tuple[Path, ast.Module]]:
    files = [f for package in packages for f in (root / package).rglob("*.py")]
    assert files
    for file in files:
        yield file, ast.parse(file.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_the_logic_never_imports_ros_and_the_executor_nothing_heavy(root: Path) -> None:
    for part in LOGIC:
        for file, tree in sources(root, f"kuavo_deploy/{part}"):
            if part == "robot" and file.name == "messages.py":
                continue
            assert not imported(tree) & ROS, file
            if part in ROBOT_SIDE:
                assert not imported(tree) & HEAVY, file
    node = ast.parse((root / "kuavo_deploy/nodes/executor_node.py").read_text(encoding="utf-8"))
    assert not imported(node) & HEAVY
    for file, tree in sources(root, "kuavo_deploy/ros"):
        assert not imported(tree) & HEAVY, file


def test_the_logic_never_looks_at_a_clock_of_its_own(root: Path) -> None:
    for part in LOGIC:
        for file, tree in sources(root, f"kuavo_deploy/{part}"):
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    assert (node.value.id, node.attr) not in CLOCKS, (file, node.lineno)


def test_nothing_unpickles_evaluates_or_loads_yaml_unsafely(root: Path) -> None:
    for file, tree in sources(root, "kuavo_deploy", "kuavo_train"):
        assert not imported(tree) & FORBIDDEN_MODULES, file
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS, (file, node.lineno)
            if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                called = (node.func.value.id, node.func.attr)
                assert called not in {("yaml", "load"), ("os", "system")}, (file, node.lineno)
                if called == ("torch", "load"):
                    safe = [k for k in node.keywords if k.arg == "weights_only"]
                    assert safe and safe[0].value.value is True, (file, node.lineno)  # type: ignore[attr-defined]


def python38() -> str | None:
    """A Python 3.8 that has numpy and yaml, if the machine has one."""
    candidates = [os.environ.get("KUAVO_PYTHON38"), shutil.which("python3.8")]
    candidates += [str(p) for p in Path.home().glob(".pyenv/versions/3.8.*/bin/python")]
    for python in filter(None, candidates):
        done = subprocess.run(
            [python, "-c", "import numpy, yaml, ruckig"], capture_output=True, check=False
        )
        if done.returncode == 0:
            return python
    return None


def test_the_robot_side_s_syntax_is_python_3_8(root: Path) -> None:
    """The executor's node and all below it."""
    files = [root / "kuavo_deploy/nodes/executor_node.py"]
    for part in (*ROBOT_SIDE, "ros"):
        files += (root / "kuavo_deploy" / part).rglob("*.py")
    for file in files:
        ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))


ONE_TICK = """
import sys, numpy as np
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests"]
from deploy.world import MIDDLE, World
world = World().running()
world.executor.on_plan(world.plan(MIDDLE + 0.1))
world.run(1.0)
assert abs(world.arms - MIDDLE - 0.1).max() < 1e-2, world.arms
print(sys.version_info[:2])
"""


def test_the_executor_runs_on_the_robot_s_own_python(root: Path) -> None:
    python = python38()
    if python is None:
        pytest.skip("no Python 3.8 with numpy, yaml and ruckig (set KUAVO_PYTHON38)")
    done = subprocess.run(
        [python, "-c", ONE_TICK, str(root)], capture_output=True, text=True, check=False,
        cwd=root, env={"PYTHONDONTWRITEBYTECODE": "1"}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(3, 8)"


def test_the_same_tick_runs_here(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONE_TICK, str(root)],
        capture_output=True, text=True, cwd=root, check=False,
    )
    assert done.returncode == 0, done.stderr
