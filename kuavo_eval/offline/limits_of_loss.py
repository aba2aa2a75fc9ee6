"""The training guide's limits of the validation loss, as a checkpoint's own stage has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from kuavo_train.checkpoint.manifest import Lineage
from kuavo_train.sequential.plan import JOINT
from kuavo_train.tasks.registry import configs_root

CONFIG = "training_config.yaml"
_DEFAULT = Path("policy/smolvla_sequential_base.yaml")


def loss_limits(checkpoint: Path, lineage: Lineage) -> dict[str, float]:
    """By task name: what the loss must stay below after the checkpoint's stage.

    The new task's limit for the task that the stage added (all tasks in joint training), the
    stage's own limit for earlier ones. From the checkpoint's configuration, else the project's.
    """
    limits = _limits(checkpoint / CONFIG) or _limits(configs_root() / _DEFAULT)
    tasks = sorted(lineage.tasks, key=lambda task: task.id)
    if not limits or not tasks:
        return {}
    new = float(limits["new_task"])
    if lineage.stage == JOINT:
        return {task.name: new for task in tasks}
    earlier = float(limits.get(f"stage{lineage.stage}", limits["later"]))
    return {task.name: new if task is tasks[-1] else earlier for task in tasks}


def _limits(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return dict(content["sequential"]["limits"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}
