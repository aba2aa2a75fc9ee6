"""roslaunch with a master of its own: a robot on the usual one is not touched."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from kuavo_cli.never_alone import NEVER_ALONE
from kuavo_cli.ports import free_port


def find_roslaunch() -> str:
    """Where it is.

    Raises:
        FileNotFoundError: there is none; says what to do.
    """
    roslaunch = shutil.which("roslaunch")
    if roslaunch is None:
        raise FileNotFoundError("roslaunch is not on PATH: source env.sh (. ./env.sh) first")
    return roslaunch


def launch_alone(
    arguments: Sequence[str],
    folder: Path,
    mark: str,
    say: Callable[[str], None],
    limit: float,
) -> list[str]:
    """Run `roslaunch kuavo_deploy ARGUMENTS` to its end, on a free port of this machine only.

    Args:
        arguments: launch file and `name:=value`.
        folder: gets launch.txt, everything that was printed, and ROS's own logs.
        mark: lines that hold it are said, from after it on.
        say: gets them as they come.
        limit: after this long it is ended [s].

    Returns:
        All lines.

    Raises:
        FileNotFoundError: there is no roslaunch.
    """
    roslaunch = find_roslaunch()
    port = free_port()
    environment = {
        **os.environ,
        "ROS_MASTER_URI": f"http://127.0.0.1:{port}",
        "ROS_IP": "127.0.0.1",
        "ROS_LOG_DIR": str(folder.absolute() / "log"),
        "PYTHONUNBUFFERED": "1",
    }
    environment.pop("ROS_HOSTNAME", None)
    command = [*NEVER_ALONE, roslaunch, "-p", str(port), "kuavo_deploy", *arguments]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    lines: list[str] = []
    alarm = threading.Timer(limit, _end, [process])
    alarm.start()
    try:
        assert process.stdout is not None
        with (folder / "launch.txt").open("a", encoding="utf-8") as file:
            for line in process.stdout:
                file.write(line)
                file.flush()
                lines.append(line.strip())
                if mark in line:
                    say(line.split(mark, 1)[1].rstrip())
    finally:
        alarm.cancel()
        _end(process)
        # ROS's link to the newest of several runs would dangle when the folder is moved
        (folder / "log" / "latest").unlink(missing_ok=True)
    return lines


def new_folder(parent: Path, name: str) -> Path:
    """Make a folder that was not there before: `name`, else `name_2` and so on."""
    parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}_{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("never reached")


def _end(process: subprocess.Popen[str]) -> None:
    for how, patience in ((signal.SIGINT, 30), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if process.poll() is not None:
            return
        os.killpg(process.pid, how)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
