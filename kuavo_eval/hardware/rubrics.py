"""The stages by which a trial is judged: the simulated scene's, unless a file says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from kuavo_cli.errors import UserError


def rubrics_of(tasks: Sequence[str], file: Path | None = None) -> dict[str, tuple[str, ...]]:
    """Stages of each task, in order.

    Args:
        tasks: names.
        file: YAML, task → list of stages; for tasks of one's own, or other stages.

    Raises:
        UserError: a task without a rubric, or a damaged file.
    """
    own = {} if file is None else _read(file)
    return {task: own[task] if task in own else _of_scene(task) for task in tasks}


def _of_scene(task: str) -> tuple[str, ...]:
    from kuavo_sim.scenes import SCENES, stages_of

    if task not in SCENES:
        raise UserError(
            f"{task} has no simulated scene to take its rubric from: give --rubric FILE with "
            f"'{task}: [first stage, second stage]'"
        )
    return stages_of(task)


def _read(file: Path) -> dict[str, tuple[str, ...]]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        rubrics = {str(task): tuple(map(str, stages)) for task, stages in content.items()}
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"{file} is no list of rubrics: {error}") from error
    for task, stages in rubrics.items():
        if not stages or len(set(stages)) < len(stages):
            raise UserError(f"{file}: {task} needs stages, each once")
    return rubrics
