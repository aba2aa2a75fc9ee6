"""Runs one filmed episode of the expert: roslaunch with a master of its own, then the summary.

The master listens on a free port of this machine only: a robot on the usual one is not touched.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kuavo_train.tasks import task_named

DEMO_LIMIT = 600.0
"""A demo that takes longer is ended [s]."""
_MARK = "demo: "


class DemoFailed(RuntimeError):
    """The demo gave no summary; the text says why."""


def run_demo(
    task: str, seed: int, out: Path, say: Callable[[str], None] = print, limit: float = DEMO_LIMIT
) -> dict[str, Any]:
    """Film one episode into a new folder below `out`.

    Args:
        task: anything that names a task.
        seed: of the scene.
        out: parent of the new folder.
        say: gets a line for each thing that happens.
        limit: after this long the demo is ended [s].

    Returns:
        summary.json, and the folder under 'folder'.

    Raises:
        UnknownTask: lists the tasks.
        DemoFailed: ROS is missing, or the simulation gave nothing to film.
    """
    task = task_named(task).name
    roslaunch = shutil.which("roslaunch")
    if roslaunch is None:
        raise DemoFailed("roslaunch is not on PATH: source env.sh (. ./env.sh) first")
    folder = _new_folder(out, f"{task}_seed{seed}")
    port = _free_port()
    environment = {
        **os.environ,
        "ROS_MASTER_URI": f"http://127.0.0.1:{port}",
        "ROS_IP": "127.0.0.1",
        "ROS_LOG_DIR": str(folder / "log"),
        "PYTHONUNBUFFERED": "1",
    }
    environment.pop("ROS_HOSTNAME", None)
    command = [
        roslaunch, "-p", str(port), "kuavo_deploy", "demo.launch",
        f"task:={task}", f"seed:={seed}", f"out:={folder.resolve()}",
    ]  # fmt: skip
    lines = _launch(command, environment, folder / "launch.txt", say, limit)
    summary = folder / "summary.json"
    if not summary.exists():
        reason = next((line for line in reversed(lines) if "FATAL" in line or "failed" in line), "")
        raise DemoFailed(f"the demo gave no summary: {reason or 'see ' + str(folder)}")
    return {**json.loads(summary.read_text("utf-8")), "folder": str(folder)}


def _launch(
    command: list[str],
    environment: dict[str, str],
    log: Path,
    say: Callable[[str], None],
    limit: float,
) -> list[str]:
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    lines: list[str] = []
    alarm = threading.Timer(limit, _end, [process])
    alarm.start()
    try:
        assert process.stdout is not None
        with log.open("w", encoding="utf-8") as file:
            for line in process.stdout:
                file.write(line)
                lines.append(line.strip())
                if _MARK in line:
                    say(line.split(_MARK, 1)[1].rstrip())
    finally:
        alarm.cancel()
        _end(process)
    return lines


def _end(process: subprocess.Popen[str]) -> None:
    for how, patience in ((signal.SIGINT, 15), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if process.poll() is not None:
            return
        os.killpg(process.pid, how)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def _new_folder(parent: Path, name: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        folder = parent / (name if number == 1 else f"{name}_{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise DemoFailed(f"{parent} is full of demos: remove some")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
