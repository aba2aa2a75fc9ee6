"""`kuavo doctor` finds what is wrong, says what mends it, and survives its own checks."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path
from types import ModuleType
from xmlrpc.server import SimpleXMLRPCServer

import pytest

from kuavo_cli.doctor import command, machine_checks, python_checks, ros_checks
from kuavo_cli.doctor.result import Result
from kuavo_cli.errors import UserError


def test_this_machine_is_well(shell_environment: dict[str, str], tmp_path: Path) -> None:
    report = tmp_path / "doctor.json"
    done = subprocess.run(
        ["kuavo", "doctor", "--json", str(report)],
        env=shell_environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        executable=str(Path(sys.prefix) / "bin" / "kuavo"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    findings = json.loads(report.read_text())
    assert findings["ok"] is True
    status = {check["name"]: check["status"] for check in findings["checks"]}
    assert len(status) == len(command.CHECKS) + 2, "and the checkpoint, and the master"
    for name in ("python", "ros", "ros package", "messages", "rendering", "video"):
        assert status[name] == "ok", done.stdout


def test_a_failure_sets_the_exit_code_and_is_in_the_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from typer.testing import CliRunner

    monkeypatch.setattr(
        command,
        "CHECKS",
        (lambda: Result("a", "ok", "good"), lambda: Result("b", "fail", "bad", "mend it")),
    )
    report = tmp_path / "d.json"
    done = CliRunner().invoke(command.app, ["--no-robot", "--json", str(report)])
    assert done.exit_code == 1
    assert "-> mend it" in done.output and "1 to mend: b" in done.output
    assert json.loads(report.read_text())["ok"] is False


@pytest.mark.parametrize("status", ["warn", "info"])
def test_a_warning_does_not(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    from typer.testing import CliRunner

    monkeypatch.setattr(command, "CHECKS", (lambda: Result("a", status, "so"),))  # type: ignore[arg-type]
    assert CliRunner().invoke(command.app, ["--no-robot"]).exit_code == 0


def test_an_unknown_end_effector_is_a_mistyped_command() -> None:
    with pytest.raises(UserError, match="choose from lejuclaw") as error:
        command.doctor(end_effector="hook")
    assert error.value.exit_code == 2


def test_long_findings_are_folded_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    command.show(Result("a", "fail", "word " * 40, "mend " * 40))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= command.WIDTH and len(lines) > 3
    assert all(line.startswith(command.INDENT) for line in lines[1:])


def test_a_check_that_breaks_does_not_stop_the_others() -> None:
    def check_odd() -> Result:
        raise RuntimeError("boom")

    found = list(command.examine([check_odd, lambda: Result("b", "ok", "")]))
    assert [item.status for item in found] == ["fail", "ok"]
    assert "boom" in found[0].found and found[0].name == "odd"


def test_packages_missing_and_other_versions(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("no-such-thing==1.0\n")
    assert python_checks.check_packages(lock).status == "fail"
    lock.write_text("pytest==0.0.1\nno-such-thing==1.0 ; sys_platform == 'win32'\n")
    found = python_checks.check_packages(lock)
    assert found.status == "warn" and "locked 0.0.1" in found.found


def test_no_rospy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rospy", None)
    found = ros_checks.check_rospy()
    assert found.status == "fail" and "make setup" in found.fix


def test_ros_s_tools_not_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = ros_checks.check_rospy()
    assert found.status == "fail" and "roslaunch" in found.found


def test_a_package_that_roslaunch_does_not_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", "/usr/share")
    found = ros_checks.check_ros_package()
    assert found.status == "fail" and "env.sh" in found.fix


def test_messages_of_another_robot(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("kuavo_msgs.msg")
    other.__file__ = "/robot/kuavo_msgs/msg/__init__.py"

    class Changed:
        _md5sum = "0" * 32

    other.sensorsData = other.lejuClawCommand = Changed  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kuavo_msgs.msg", other)
    found = ros_checks.check_messages()
    assert found.status == "warn" and "sensorsData, lejuClawCommand" in found.found


def test_no_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kuavo_msgs.msg", None)
    assert ros_checks.check_messages().status == "fail"


def test_a_master_that_is_not_there_is_no_fault_unless_a_robot_is_demanded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ROS_MASTER_URI", f"http://127.0.0.1:{probe.getsockname()[1]}")
        found = ros_checks.check_master()
        assert ros_checks.check_master(demanded=True).status == "fail"
    assert found.status == "info" and "does not answer" in found.found


@pytest.mark.parametrize("uri", ["nonsense", "http://", "http://h:port"])
def test_a_master_address_that_is_none(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("ROS_MASTER_URI", uri)
    assert ros_checks.check_master().status == "warn"


class FakeMaster:
    """Something that answers like a ROS master."""

    def __init__(self, address: str) -> None:
        self.server = SimpleXMLRPCServer((address, 0), logRequests=False)
        self.server.register_function(lambda _: [1, "", 1], "getPid")
        self.uri = f"http://{address}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> FakeMaster:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_a_remote_master_needs_an_address_to_answer_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeMaster("127.0.0.2") as master:
        monkeypatch.setenv("ROS_MASTER_URI", master.uri)
        monkeypatch.delenv("ROS_IP", raising=False)
        monkeypatch.delenv("ROS_HOSTNAME", raising=False)
        found = ros_checks.check_master()
        assert found.status == "warn" and "export ROS_IP=127.0.0." in found.fix
        monkeypatch.setenv("ROS_IP", "127.0.0.1")
        assert ros_checks.check_master().status == "ok"


@pytest.mark.parametrize("name", ["ROS_IP", "ROS_HOSTNAME"])
def test_an_address_that_is_not_this_computer_s(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with FakeMaster("127.0.0.2") as master:
        monkeypatch.setenv("ROS_MASTER_URI", master.uri)
        monkeypatch.delenv("ROS_IP", raising=False)
        monkeypatch.delenv("ROS_HOSTNAME", raising=False)
        monkeypatch.setenv(name, "192.0.2.7")
        found = ros_checks.check_master()
        assert found.status == "fail" and "192.0.2.7, which is not this computer" in found.found
        assert "unset ROS_HOSTNAME; export ROS_IP=127.0.0." in found.fix


def test_something_that_is_no_master(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        monkeypatch.setenv("ROS_MASTER_URI", f"http://127.0.0.1:{server.getsockname()[1]}")
        found = ros_checks.check_master(timeout_s=0.3)
        assert found.status == "info" and "hung" in found.found
        assert ros_checks.check_master(timeout_s=0.3, demanded=True).status == "fail"


@pytest.mark.ros
def test_a_master_that_answers(ros_master: object) -> None:
    assert ros_checks.check_master().status == "ok"


def test_a_backend_that_cannot_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    found = machine_checks.check_rendering()
    assert found.status == "fail" and "nonsense" in found.found and found.fix


def test_a_driver_that_hangs_or_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "RENDER", "import time; time.sleep(60)")
    assert "no answer within" in machine_checks.check_rendering(timeout_s=0.5).found
    monkeypatch.setattr(machine_checks, "RENDER", "import os; os.abort()")
    assert machine_checks.check_rendering().status == "fail"
    monkeypatch.setattr(machine_checks, "RENDER", "print(0)")
    assert "a black image" in machine_checks.check_rendering().found


@pytest.mark.parametrize(("free", "status"), [(0.5e9, "fail"), (5e9, "warn"), (50e9, "ok")])
def test_disk(monkeypatch: pytest.MonkeyPatch, free: float, status: str) -> None:
    usage = namedtuple("usage", "free")(free)
    monkeypatch.setattr(machine_checks.shutil, "disk_usage", lambda _: usage)
    assert machine_checks.check_disk().status == status


def test_no_gpu_is_a_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "GPU", "pass")
    assert machine_checks.check_gpu().status == "info"
    monkeypatch.setattr(machine_checks, "GPU", "print('a card, 16 GiB')")
    assert machine_checks.check_gpu() == Result("gpu", "ok", "a card, 16 GiB")
    monkeypatch.setattr(machine_checks, "GPU", "raise ImportError('libcudart')")
    assert machine_checks.check_gpu().status == "warn"
