"""What all tests share: the checkout's path, a shell environment as env.sh makes it, a roscore."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]

# How long one example takes says nothing on a machine that others use too.
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")

# What runs in the background of a shell ignores Ctrl-C, and so would the programs it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test asks the network for a model, and two workers on two cores share them.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
if not os.environ.get("DISPLAY"):
    os.environ.setdefault("MUJOCO_GL", "egl")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker for a file, so that what its tests share is not made twice."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shell_environment() -> dict[str, str]:
    """The environment of a shell that has sourced env.sh, from an almost empty one."""
    clean = {"HOME": str(Path.home()), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", '. "$0" && env -0', str(ROOT / "env.sh")],
        env=clean,
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return dict(item.split("=", 1) for item in done.stdout.split("\0") if item)


@pytest.fixture
def in_shell(shell_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has sourced env.sh."""
    for name, value in shell_environment.items():
        monkeypatch.setenv(name, value)


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Master:
    """A running roscore.

    Attributes:
        uri: for ROS_MASTER_URI.
        environment: what a child process needs to talk to it, and the project's shell set-up.
    """

    uri: str
    environment: dict[str, str]


@pytest.fixture(scope="session")
def ros_master(
    shell_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Master]:
    """A real roscore on a free port, with logs in a temporary folder; this process uses it too."""
    if shutil.which("roscore", path=shell_environment["PATH"]) is None:
        pytest.fail("roscore is not on PATH: make setup")
    port = free_port()
    home = tmp_path_factory.mktemp("ros")
    mine = {
        "ROS_MASTER_URI": f"http://127.0.0.1:{port}",
        "ROS_IP": "127.0.0.1",
        "ROS_HOME": str(home),
        "ROS_LOG_DIR": str(home / "log"),
    }
    environment = {**shell_environment, **mine}
    before = {name: os.environ.get(name) for name in mine}
    os.environ.update(mine)
    log = (home / "roscore.txt").open("w")
    core = subprocess.Popen(
        ["roscore", "-p", str(port)],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    try:
        _wait_for(core, mine["ROS_MASTER_URI"], home / "roscore.txt")
        yield Master(mine["ROS_MASTER_URI"], environment)
    finally:
        core.terminate()
        try:
            core.wait(20)
        except subprocess.TimeoutExpired:
            core.kill()
            core.wait()
        log.close()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _wait_for(core: subprocess.Popen[bytes], uri: str, log: Path, limit_s: float = 40.0) -> None:
    """Until the master answers and has its rosout node."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end and core.poll() is None:
        try:
            if xmlrpc.client.ServerProxy(uri).lookupNode("/tests", "/rosout")[0] == 1:  # type: ignore[index]
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"roscore did not start:\n{log.read_text()[-2000:]}")
