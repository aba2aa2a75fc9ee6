"""`. ./env.sh` in bash and zsh: the same shell from any directory, once or twice."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SHELLS = [
    pytest.param(name, marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"no {name}"))
    for name in ("bash", "zsh")
]


def run(shell: str, script: str, cwd: Path | str = "/", **variables: str) -> str:
    done = subprocess.run(
        [shell, "-c", script],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"HOME": str(Path.home()), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **variables},
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def variables(text: str) -> dict[str, str]:
    ignored = {"_", "SHLVL", "PWD", "OLDPWD"}
    pairs = (item.split("=", 1) for item in text.split("\0") if "=" in item)
    return {name: value for name, value in pairs if name not in ignored}


@pytest.mark.parametrize("shell", SHELLS)
def test_programs_come_from_the_environment(shell: str, root: Path, tmp_path: Path) -> None:
    out = run(shell, f". '{root}/env.sh' && command -v python kuavo pytest roslaunch", tmp_path)
    python, kuavo, pytest_, roslaunch = out.split()
    assert {python, kuavo, pytest_} == {
        f"{root}/.venv/bin/{name}" for name in ("python", "kuavo", "pytest")
    }
    assert Path(roslaunch).exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_twice_is_once(shell: str, root: Path) -> None:
    once = variables(run(shell, f"set -eu; . '{root}/env.sh'; env -0"))
    twice = variables(run(shell, f"set -eu; . '{root}/env.sh'; cd /tmp; . '{root}/env.sh'; env -0"))
    assert once == twice
    for name in ("PATH", "PYTHONPATH", "ROS_PACKAGE_PATH"):
        parts = once[name].split(":")
        assert len(parts) == len(set(parts)) and "" not in parts


@pytest.mark.parametrize("shell", SHELLS)
def test_no_helper_is_left_behind(shell: str, root: Path) -> None:
    left = run(
        shell, f". '{root}/env.sh'; set | grep -a '^_kuavo' | grep -av EXECUTION_STRING; true"
    )
    assert left == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_relative_path_and_a_cdpath(shell: str, root: Path) -> None:
    script = f". ../{root.name}/env.sh && echo $VIRTUAL_ENV"
    assert run(shell, script, root.parent / root.name, CDPATH="/tmp:/") == f"{root}/.venv\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_pyenv_python_does_not_come_first(shell: str, root: Path, tmp_path: Path) -> None:
    shim = tmp_path / "python3"
    shim.write_text("#!/bin/sh\nexit 1\n")
    shim.chmod(0o755)
    out = run(shell, f". '{root}/env.sh' && command -v python3", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert out == f"{root}/.venv/bin/python3\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_what_the_user_set_stays(shell: str, root: Path) -> None:
    mine = {"MUJOCO_GL": "osmesa", "ROS_MASTER_URI": "http://robot:11311", "PYTHONPATH": "/mine"}
    seen = variables(run(shell, f". '{root}/env.sh'; env -0", **mine))
    assert seen["MUJOCO_GL"] == "osmesa"
    assert seen["ROS_MASTER_URI"] == "http://robot:11311"
    assert seen["PYTHONPATH"].startswith("/mine:")


@pytest.mark.parametrize("shell", SHELLS)
def test_with_a_screen_mujoco_chooses_itself(shell: str, root: Path) -> None:
    assert "MUJOCO_GL" not in variables(run(shell, f". '{root}/env.sh'; env -0", DISPLAY=":0"))
    assert variables(run(shell, f". '{root}/env.sh'; env -0"))["MUJOCO_GL"] == "egl"


@pytest.mark.parametrize("shell", SHELLS)
def test_noetic_is_sourced_once_where_it_is(shell: str, root: Path, tmp_path: Path) -> None:
    for name in ("setup.sh", "setup.bash", "setup.zsh"):
        # As ROS's own files do: read a variable that may be unset.
        (tmp_path / name).write_text(
            'test -n "$NEVER_SET"; export ROS_DISTRO=noetic\n'
            "export ROS_PACKAGE_PATH=/opt/ros/share; echo sourced\n"
        )
    script = f"set -u; . '{root}/env.sh'; . '{root}/env.sh'; echo $ROS_PACKAGE_PATH"
    out = run(shell, script, KUAVO_ROS_ROOT=str(tmp_path)).split()
    assert out == ["sourced", f"{root}:/opt/ros/share"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_robot_s_workspace_wins_over_the_sdk(shell: str, root: Path, tmp_path: Path) -> None:
    package = tmp_path / "kuavo_msgs"
    package.mkdir()
    (package / "__init__.py").touch()
    script = f". '{root}/env.sh' && python -c 'import kuavo_msgs; print(kuavo_msgs.__file__)'"
    assert run(shell, script, PYTHONPATH=str(tmp_path)) == f"{package}/__init__.py\n"
    assert "kuavo_humanoid_sdk" in run(shell, script)


@pytest.mark.parametrize("shell", SHELLS)
def test_without_a_set_up_it_says_what_to_do(shell: str, root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "env.sh", tmp_path)
    done = subprocess.run(
        [shell, "-c", ". ./env.sh"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "make setup" in done.stderr and len(done.stderr.splitlines()) == 1
