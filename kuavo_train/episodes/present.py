"""Whether a task's dataset is there at all: known without loading lerobot and torch."""

from __future__ import annotations

from pathlib import Path

from kuavo_train.errors import DataError
from kuavo_train.tasks import Task


def check_present(task: Task, root: Path) -> None:
    """Raise DataError, with the setting that helps, where no LeRobot dataset lies.

    (lerobot would create the folder and ask the hub for it.)
    """
    if not (root / "meta" / "info.json").is_file():
        raise DataError(
            f"no LeRobot dataset for task {task.id} ({task.name}) at {root} (no meta/info.json): "
            f"record or convert one, or set data.roots.task{task.id}=FOLDER"
        )
