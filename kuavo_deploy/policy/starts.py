"""Where each task's demonstrations began, out of a checkpoint's manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kuavo_deploy.robot import layout
from kuavo_train.checkpoint.manifest import read_manifest


def start_postures(checkpoint: Path) -> dict[str, tuple[float, ...]]:
    """Both arms [rad], left 7 then right 7, by the task's name; without tasks that do not tell."""
    tasks = read_manifest(checkpoint).lineage.tasks
    return {
        task.name: tuple(layout.split(np.array(task.start)).arms.tolist())
        for task in tasks
        if len(task.start) == layout.STATE_DIM
    }
