"""Whatever is missing, the set-up ends with one clear sentence and a non-zero status."""

from __future__ import annotations

import subprocess

import pytest

from tests.setup.machine import Machine

NOTHING_INSTALLED = "exit 1"
NO_NETWORK = "echo \"Err:1 archive\n  Temporary failure resolving 'archive.invalid'\" >&2; exit 100"


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The reason that was given; checks that it is one line, without a stack trace."""
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert 1 <= len(lines) <= 2, done.stderr
    assert lines[0].startswith("setup: ")
    assert "Traceback" not in done.stdout + done.stderr
    if len(lines) == 2:
        assert "setup.log" in lines[1]
    return lines[0]


def test_no_network_for_the_package_manager(machine: Machine) -> None:
    machine.stand_in("dpkg-query", NOTHING_INSTALLED)
    machine.stand_in("dpkg", "exit 0")
    machine.stand_in("apt-get", NO_NETWORK)
    machine.stand_in("apt-cache", "exit 0")
    assert "no network" in sentence(machine.setup())


def test_no_network_for_uv_itself(machine: Machine) -> None:
    machine.forget_uv()
    machine.stand_in(
        "lab-python",
        '[ "$1" = -c ] && exit 0\n'
        'mkdir -p "$3/bin"\n'
        "printf '#!/bin/bash\\necho NewConnectionError >&2; exit 1\\n' > \"$3/bin/python\"\n"
        'chmod +x "$3/bin/python"',
    )
    machine.variables["KUAVO_PYTHON"] = "lab-python"
    assert "no network" in sentence(machine.setup())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("error: dns error: failed to lookup address information", "no network"),
        ("error: operation timed out", "no network"),
        ("error: failed to write: No space left on device (os error 28)", "the disk is full"),
        ("invalid peer certificate: UnknownIssuer", "PIP_CERT"),
        ("something never seen before", "installing the locked packages failed"),
    ],
)
def test_an_error_of_the_installer_becomes_a_sentence(
    machine: Machine, error: str, reason: str
) -> None:
    (machine.folder / "uv.error").write_text(error)
    assert reason in sentence(machine.setup())


def test_a_disk_too_small_is_said_before_anything_is_written(machine: Machine) -> None:
    machine.stand_in("df", "echo header; echo disk 20000 16000 4000 80% /")
    text = sentence(machine.setup())
    assert "needs 12 GB" in text and "4 GB free" in text
    assert not [call for call in machine.calls() if "venv" in call or "install" in call]


def test_no_sudo(machine: Machine) -> None:
    machine.stand_in("id", "echo 1000")
    machine.stand_in("dpkg-query", NOTHING_INSTALLED)
    text = sentence(machine.setup())
    assert "no sudo" in text
    assert "apt-get install --no-install-recommends" in text and "python3-rospy" in text


def test_sudo_that_wants_a_password_where_nobody_can_type_it(machine: Machine) -> None:
    machine.stand_in("id", "echo 1000")
    machine.stand_in("dpkg-query", NOTHING_INSTALLED)
    machine.stand_in("sudo", "exit 1")
    assert "needs a password" in sentence(machine.setup())


def test_an_archive_without_ros(machine: Machine) -> None:
    machine.stand_in("dpkg-query", NOTHING_INSTALLED)
    machine.stand_in("dpkg", "exit 0")
    machine.stand_in("apt-get", "exit 0")
    machine.stand_in("apt-cache", "echo 'Package: libegl1'")
    assert "no ROS 1 package" in sentence(machine.setup())


def test_a_python_that_is_too_old(machine: Machine) -> None:
    machine.stand_in("old-python", "exit 1")
    machine.variables["KUAVO_PYTHON"] = "old-python"
    assert "older than Python 3.10" in sentence(machine.setup())


def test_a_python_that_does_not_exist(machine: Machine) -> None:
    machine.variables["KUAVO_PYTHON"] = "/nowhere/python"
    assert "no such program" in sentence(machine.setup())


def test_only_old_pythons(machine: Machine) -> None:
    # The script asks for /usr/bin/python3 by its full path, so the copy is pointed at an old one.
    script = machine.checkout / "tools" / "lib" / "python.sh"
    machine.stand_in("old-python", '[ "$1" = -V ] && echo Python 3.8.10; exit 1')
    text = script.read_text().replace("/usr/bin/python3", str(machine.programs / "old-python"))
    script.write_text(text)
    for name in ("python3.10", "python3.11"):
        machine.stand_in(name, "exit 1")
    text = sentence(machine.setup())
    assert "Python 3.10 or 3.11" in text and "rospy is pure Python" in text
