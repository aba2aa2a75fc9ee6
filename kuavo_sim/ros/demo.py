"""Runs one filmed episode of the expert: roslaunch with a master of its own, then the summary."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kuavo_sim.ros.alone import find_roslaunch, launch_alone, new_folder
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
    try:
        find_roslaunch()
    except FileNotFoundError as error:
        raise DemoFailed(str(error)) from error
    folder = new_folder(out, f"{task}_seed{seed}")
    arguments = ["demo.launch", f"task:={task}", f"seed:={seed}", f"out:={folder.resolve()}"]
    lines = launch_alone(arguments, folder, _MARK, say, limit)
    summary = folder / "summary.json"
    if not summary.exists():
        reason = next((line for line in reversed(lines) if "FATAL" in line or "failed" in line), "")
        raise DemoFailed(f"the demo gave no summary: {reason or 'see ' + str(folder)}")
    return {**json.loads(summary.read_text("utf-8")), "folder": str(folder)}
