"""The checkpoints of a sequential training: its stages, and what they are measured against."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kuavo_cli.errors import UserError
from kuavo_train.checkpoint.manifest import TaskRecord, read_manifest
from kuavo_train.checkpoint.writer import TRAINING_CONFIG
from kuavo_train.errors import TrainingError
from kuavo_train.tasks import Task, load_tasks

JOINT = "joint"
RESULTS = "training_results.json"


@dataclass(frozen=True)
class Row:
    """A checkpoint that is scored. key: in the document; label: on the page."""

    key: str
    label: str
    folder: Path


@dataclass(frozen=True)
class Stage:
    """A finished stage. limits: task → validation loss it must stay below. results: its JSON."""

    number: int
    task: Task
    folder: Path
    limits: dict[str, float]
    results: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A sequence of stages, 1 to the last that there is, and the tasks they learned."""

    root: Path
    stages: tuple[Stage, ...]
    joint: Path | None
    records: tuple[TaskRecord, ...]
    parent: str

    @property
    def tasks(self) -> tuple[Task, ...]:
        """In the order in which they were learned."""
        return tuple(stage.task for stage in self.stages)


def open_run(root: Path, which: str = "best") -> Run:
    """Find the stages of an output folder of the training.

    Args:
        root: e.g. outputs/train/smolvla_sequential.
        which: the checkpoint of each stage: best, epoch5, ….

    Raises:
        UserError: no folder, no stage, a gap, or a damaged file; names it.
    """
    if not root.is_dir():
        raise UserError(f"no training at {root}: the folder does not exist")
    tasks = list(load_tasks().values())
    there = [(root / task.folder / which).is_dir() for task in tasks]
    count = there.index(False) if False in there else len(there)
    if count == 0:
        expected = root / tasks[0].folder / which
        raise UserError(f"{root} holds no sequential training: there is no {expected}")
    if any(there[count:]):
        raise UserError(f"{root} lacks stage {count + 1} ({tasks[count].folder}/{which})")
    stages = tuple(
        _stage(number, task, root / task.folder, root / task.folder / which)
        for number, task in enumerate(tasks[:count], start=1)
    )
    joint = root / JOINT / which
    return Run(
        root,
        stages,
        joint if joint.is_dir() else None,
        tuple(_manifest(stages[-1].folder).lineage.tasks),
        _manifest(stages[0].folder).lineage.parent,
    )


def stage_rows(run: Run, prefix: str = "stage", label: str = "stage") -> list[Row]:
    """One row per stage, e.g. 'stage2: after stage 2 (weighing)'."""
    return [
        Row(f"{prefix}{s.number}", f"{label} {s.number}: {s.task.name}", s.folder)
        for s in run.stages
    ]


def check_alike(run: Run, other: Run) -> None:
    """Raise UserError where the floor is not a training of the same tasks."""
    ours, theirs = ([t.name for t in r.tasks] for r in (run, other))
    if ours != theirs:
        raise UserError(
            f"{other.root} learned {', '.join(theirs)}; {run.root} learned {', '.join(ours)}: "
            "a floor is the same sequence without replay"
        )


def trained_on(folders: Sequence[Path]) -> set[str]:
    """Content hashes of all episodes that any of the checkpoints was trained on."""
    return {
        key
        for folder in folders
        for task in _manifest(folder).lineage.tasks
        for key in task.trained.values()
    }


def _stage(number: int, task: Task, folder: Path, checkpoint: Path) -> Stage:
    names = [record.name for record in _manifest(checkpoint).lineage.tasks]
    if task.name not in names:
        raise UserError(f"{checkpoint} learned {', '.join(names)}, not {task.name}")
    try:
        config = yaml.safe_load((checkpoint / TRAINING_CONFIG).read_text(encoding="utf-8"))
        limits = config["sequential"]["limits"]
        earlier = limits.get(f"stage{number}", limits["later"])
        results = folder / RESULTS
        content = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"stage {number}, {folder}, cannot be read: {error!r}") from error
    bounds = {name: float(limits["new_task"] if name == task.name else earlier) for name in names}
    return Stage(number, task, checkpoint, bounds, dict(content))


def _manifest(folder: Path) -> Any:
    try:
        return read_manifest(folder)
    except TrainingError as error:
        raise UserError(str(error)) from error
