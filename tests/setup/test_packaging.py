"""pip, catkin and the lock agree with each other, and no file names a place to download from."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tomllib
from packaging.requirements import Requirement


def test_name_and_version_agree(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    package = ElementTree.parse(root / "package.xml").getroot()
    said = subprocess.run(
        [sys.executable, "setup.py", "--name", "--version"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[-2:]
    assert said == [project["name"], project["version"]]
    assert said == [package.findtext("name"), package.findtext("version")]


def test_setup_py_uses_what_catkin_accepts(root: Path) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse((root / "setup.py").read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setup"
    ]
    assert len(calls) == 1
    assert {word.arg for word in calls[0].keywords} <= {
        "name",
        "version",
        "packages",
        "package_data",
    }


def requirements(path: Path) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def test_everything_is_pinned_and_every_direct_dependency_is_there(root: Path) -> None:
    locked = requirements(root / "requirements_total.txt")
    assert all(re.fullmatch(r"==[^*,]+", str(item.specifier)) for item in locked)
    names = {item.name for item in locked}
    for item in requirements(root / "requirements.in"):
        assert item.name in names, f"{item.name}: run make lock"
        pins = [pin for pin in locked if pin.name == item.name]
        assert all(str(pin.specifier)[2:] in item.specifier for pin in pins), (
            f"{item.name}: make lock"
        )


def test_the_lock_is_for_python_3_10_and_3_11(root: Path) -> None:
    for version in ("3.10", "3.11"):
        environment = {
            "python_version": version,
            "python_full_version": f"{version}.9",
            "sys_platform": "linux",
            "platform_machine": "x86_64",
            "platform_system": "Linux",
            "platform_python_implementation": "CPython",
        }
        here = [
            item.name
            for item in requirements(root / "requirements_total.txt")
            if item.marker is None or item.marker.evaluate(environment)
        ]
        assert len(here) == len(set(here)), "one version of each"
        assert {"lerobot", "torch", "mujoco", "rosbags", "numpy"} <= set(here)


@pytest.mark.parametrize(
    "pattern", ["requirements*", "tools/**/*.sh", "pyproject.toml", ".ci/*", "Makefile"]
)
def test_no_file_names_a_registry(root: Path, pattern: str) -> None:
    paths = [path for path in root.glob(pattern) if path.is_file()]
    assert paths
    for path in paths:
        text = path.read_text()
        assert not re.search(r"https?://|--(extra-)?index-url|file:///", text), path


def test_nodes_are_executables_for_the_environment_s_python(root: Path) -> None:
    for package in ("kuavo_deploy", "kuavo_eval", "kuavo_sim"):
        for path in (root / package / "nodes").glob("*.py"):
            if path.name != "__init__.py":
                assert path.stat().st_mode & 0o111, f"{path} is not executable"
                assert path.read_text().startswith("#!/usr/bin/env python3\n"), path
