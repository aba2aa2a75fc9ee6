"""The checkout is a catkin package: it builds, installs, and roslaunch finds it there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.setup.launches import launch_commands

pytestmark = [pytest.mark.slow, pytest.mark.ros]

PLAIN = {"HOME": str(Path.home()), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def bash(script: str, environment: dict[str, str], cwd: Path) -> str:
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def copy_of(root: Path, to: Path) -> None:
    """The files that git knows or would know, as a clone would have them."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)


def nodes(root: Path) -> list[Path]:
    return [
        path
        for package in ("kuavo_deploy", "kuavo_eval", "kuavo_sim")
        for path in sorted((root / package / "nodes").glob("*.py"))
        if path.name != "__init__.py"
    ]


@pytest.fixture(scope="module", params=["as the robot does", "after env.sh"])
def workspace(
    request: pytest.FixtureRequest,
    root: Path,
    tmp_path_factory: pytest.TempPathFactory,
    shell_environment: dict[str, str],
) -> Path:
    """A workspace with this package, built and installed by catkin_make."""
    folder = tmp_path_factory.mktemp("workspace")
    copy_of(root, folder / "src" / "kuavo_deploy")
    environment = PLAIN if request.param == "as the robot does" else shell_environment
    bash("catkin_make install", environment, folder)
    return folder


@pytest.mark.parametrize("space", ["devel", "install"])
def test_roslaunch_resolves_the_package_there(
    workspace: Path, root: Path, tmp_path: Path, space: str
) -> None:
    found = bash(f". {space}/setup.bash; rospack find kuavo_deploy", PLAIN, workspace).strip()
    assert Path(found).is_relative_to(workspace)
    assert (Path(found) / "configs").is_dir()
    for command in launch_commands(root, tmp_path):
        # launch files run checks with the Python that comes first: the environment's
        script = (
            f". {space}/setup.bash; PATH={root}/.venv/bin:$PATH "
            f"roslaunch --files kuavo_deploy {' '.join(command)}"
        )
        out = bash(script, PLAIN, workspace)
        assert Path(out.splitlines()[0]).is_relative_to(workspace)


@pytest.mark.parametrize("space", ["devel", "install"])
def test_the_python_packages_come_from_there(workspace: Path, space: str) -> None:
    code = "import kuavo_deploy, kuavo_train; print(kuavo_deploy.__path__[0])"
    where = bash(f". {space}/setup.bash; /usr/bin/python3 -c '{code}'", PLAIN, workspace).strip()
    assert Path(where).is_relative_to(workspace)


def test_the_environment_and_the_workspace_go_together(workspace: Path, root: Path) -> None:
    script = f". {root}/env.sh; . install/setup.bash; python -c '{{}}'"
    code = "import sys, kuavo_deploy, kuavo_msgs.msg; print(sys.prefix, kuavo_deploy.__file__)"
    prefix, where = bash(script.format(code), PLAIN, workspace).split()
    assert prefix == str(root / ".venv") and Path(where).is_relative_to(workspace)


def test_nodes_are_installed_executable(workspace: Path, root: Path) -> None:
    for node in nodes(root):
        installed = workspace / "install" / "lib" / "kuavo_deploy" / node.name
        assert installed.stat().st_mode & 0o111, node
        assert installed.read_text().startswith("#!/usr/bin/env python3\n")


def test_data_files_are_installed(workspace: Path, root: Path) -> None:
    site = next((workspace / "install" / "lib").glob("python3*/dist-packages"))
    suffixes = {".xml", ".yaml", ".json", ".html", ".js", ".css", ".png"}
    for package in ("kuavo_sim", "kuavo_deploy", "kuavo_train", "kuavo_eval"):
        for path in (root / package).rglob("*"):
            if path.suffix in suffixes:
                assert (site / path.relative_to(root)).is_file(), path
