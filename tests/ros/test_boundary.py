"""Logic never imports rospy: only nodes and what joins them to ROS do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = (
    "kuavo_sim/nodes", "kuavo_deploy/nodes", "kuavo_deploy/ros", "kuavo_eval/nodes",
    "kuavo_eval/ros", "kuavo_deploy/soak/__main__.py", "kuavo_deploy/soak/witness.py",
)  # fmt: skip
PACKAGES = ("kuavo_sim", "kuavo_deploy", "kuavo_train", "kuavo_eval", "kuavo_cli")


def imports_rospy(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        if any(name.split(".")[0] == "rospy" for name in names):
            return True
    return False


@pytest.mark.parametrize("package", PACKAGES)
def test_only_nodes_import_rospy(package: str) -> None:
    files = [path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py")]
    assert files
    outside = [path for path in files if not path.as_posix().startswith(ALLOWED)]
    assert [str(path) for path in outside if imports_rospy(ROOT / path)] == []


def test_the_check_finds_what_it_looks_for() -> None:
    assert imports_rospy(ROOT / "kuavo_sim" / "nodes" / "sim_node.py")


def test_logic_does_not_read_the_wall_clock() -> None:
    for path in (ROOT / "kuavo_sim" / "ros").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "time.time(" not in text, path
        assert "time.monotonic(" not in text, path


def test_nodes_are_found_by_roslaunch_as_executables() -> None:
    for name in ("sim_node.py", "demo_recorder.py", "film_node.py"):
        path = ROOT / "kuavo_sim" / "nodes" / name
        assert path.stat().st_mode & 0o111
        assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env python3\n")
