"""A second call ends at once; a killed one is picked up; a changed lock is noticed."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.setup.machine import Machine


def test_it_says_what_it_does(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    for step in ("system packages", ".venv", "packages: installing", "set-up done"):
        assert step in done.stdout
    assert all(line.startswith("[") and "s] " in line for line in done.stdout.splitlines())


def test_a_second_call_does_nothing_and_takes_no_time(machine: Machine) -> None:
    machine.setup()
    before = machine.calls()
    start = time.monotonic()
    done = machine.setup()
    assert time.monotonic() - start < 1.0
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.calls() == before


@pytest.mark.parametrize("name", ["requirements_total.txt", "pyproject.toml", "tools/lib/venv.sh"])
def test_a_change_of_what_decides_is_noticed(machine: Machine, name: str) -> None:
    machine.setup()
    before = machine.calls()
    with (machine.checkout / name).open("a") as file:
        file.write("# changed\n")
    done = machine.setup()
    assert done.returncode == 0
    assert len(machine.calls()) > len(before)
    assert "making it" not in done.stdout, "the environment itself is kept"


def test_a_failed_run_leaves_no_stamp(machine: Machine) -> None:
    error = machine.folder / "uv.error"
    error.write_text("dns error")
    assert machine.setup().returncode != 0
    error.unlink()
    assert "set-up done" in machine.setup().stdout


@pytest.mark.parametrize("moment", ["venv", "install"])
def test_killed_in_the_middle_and_run_again(machine: Machine, moment: str) -> None:
    hang = machine.folder / f"hang.{moment}"
    hang.touch()
    running = machine.start_setup()
    end = time.monotonic() + 30
    while not (machine.folder / "hanging").exists():
        assert time.monotonic() < end and running.poll() is None
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    hang.unlink()
    leftover = machine.checkout / ".venv" / "half-copied"
    leftover.touch()

    done = machine.setup()

    assert done.returncode == 0, done.stderr
    assert "set-up done" in done.stdout
    assert not leftover.exists(), "what was half done is not trusted"


def test_two_at_once_do_the_work_once(machine: Machine) -> None:
    first, second = machine.start_setup(), machine.start_setup()
    assert (first.wait(60), second.wait(60)) == (0, 0)
    assert len([call for call in machine.calls() if call.startswith("venv")]) == 1


def test_a_system_package_that_is_missing_is_installed_as_root(machine: Machine) -> None:
    machine.stand_in(
        "dpkg-query", 'case "$*" in *rospy*) exit 1 ;; *) echo install ok installed ;; esac'
    )
    machine.stand_in("dpkg", "exit 0")
    machine.stand_in("apt-cache", "exit 0")
    machine.stand_in("apt-get", 'echo "$*" >> "$MACHINE/apt.calls"')
    assert machine.setup().returncode == 0
    calls = (machine.folder / "apt.calls").read_text()
    assert "install -y --no-install-recommends" in calls
    assert calls.rstrip().endswith(" python3-rospy")


def test_the_tests_browser_is_installed_where_there_is_none(machine: Machine) -> None:
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        (machine.programs / name).unlink(missing_ok=True)
    machine.stand_in("dpkg-query", "exit 1")
    machine.stand_in("dpkg", "exit 0")
    machine.stand_in("apt-cache", "exit 0")
    machine.stand_in("apt-get", 'echo "$*" >> "$MACHINE/apt.calls"')
    assert machine.setup("setup_tests.sh").returncode == 0
    calls = machine.folder / "apt.calls"
    assert calls.read_text().rstrip().endswith(" chromium-headless-shell")
    calls.unlink()
    machine.stand_in("chromium", "exit 0")
    assert machine.setup("setup_tests.sh").returncode == 0
    assert not calls.exists()
