"""The Python environment and its locked packages."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from kuavo_cli.doctor.result import Result

ROOT = Path(__file__).resolve().parents[2]
REPORTED = ("kuavo_deploy", "torch", "lerobot", "transformers", "mujoco", "ruckig", "rospy")


def check_python() -> Result:
    """Is this the interpreter of the checkout's .venv?"""
    version = ".".join(str(part) for part in sys.version_info[:3])
    found = f"Python {version} in {sys.prefix}"
    if Path(sys.prefix).resolve() == (ROOT / ".venv").resolve():
        return Result("python", "ok", found)
    return Result("python", "warn", found, f"use the project's own: . {ROOT}/env.sh")


def check_versions() -> Result:
    """What to name when somebody asks for help."""
    found = []
    for name in REPORTED:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    ros = os.environ.get("ROS_DISTRO") or "Debian's"
    return Result("versions", "info", f"{', '.join(found)}; ROS 1 {ros}; {platform.platform()}")


def locked(lock: Path) -> dict[str, str]:
    """Versions that `lock` asks for on this machine, by package name."""
    versions: dict[str, str] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate():
            versions[requirement.name] = str(requirement.specifier).removeprefix("==")
    return versions


def check_packages(lock: Path = ROOT / "requirements_total.txt") -> Result:
    """Are the installed packages those of the lock?"""
    if not lock.is_file():
        return Result("packages", "info", f"no {lock.name} beside this installation")
    missing, other = [], []
    wanted = locked(lock)
    for name, version in wanted.items():
        try:
            # "2.10.0+cu126" is another build of 2.10.0 (Jetson, CPU only).
            have = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if have != version:
            other.append(f"{name} {have} (locked {version})")
    if missing:
        return Result("packages", "fail", f"missing: {', '.join(missing)}", "make setup")
    if other:
        return Result(
            "packages",
            "warn",
            f"other versions: {', '.join(other)}",
            "uv pip install -r requirements_total.txt, unless you chose them",
        )
    return Result("packages", "ok", f"all {len(wanted)} locked packages")
