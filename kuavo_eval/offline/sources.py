"""Where recorded episodes are: `--data task2=DIR`, a LeRobot dataset, a bag, a folder of bags."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from kuavo_cli.errors import UserError
from kuavo_eval.offline.bags import check_bag_options, open_bags
from kuavo_eval.offline.datasets import INFO, open_dataset
from kuavo_eval.offline.episodes import Recording
from kuavo_eval.offline.options import Options
from kuavo_train.checkpoint.manifest import read_manifest
from kuavo_train.data.conversion import BAG_ENDINGS
from kuavo_train.data.metadata import read_about
from kuavo_train.errors import CheckpointError
from kuavo_train.tasks import Task, TaskRegistry, UnknownTask


@dataclass(frozen=True)
class Source:
    """A task, by any of its names, and where its episodes are."""

    task: str
    path: Path


def parse_source(text: str, registry: TaskRegistry) -> Source:
    """`TASK=PATH`, or a path alone where the recording says what it shows.

    Raises:
        UserError: an unknown task, or one that the recording doesn't name.
    """
    name, equals, path = text.partition("=")
    if not equals:
        return Source(_told_by(Path(text), registry), Path(text))
    return Source(task_called(name, registry).name, Path(path))


def folder_of(checkpoint: str) -> Path:
    """Of `NAME=DIR`, or of a folder alone."""
    return Path(checkpoint.rpartition("=")[2])


def training_sources(
    checkpoints: Sequence[str], registry: TaskRegistry, wanted: Collection[str]
) -> list[Source]:
    """Where the first checkpoint's training found its data, of the tasks wanted (none: all).

    Raises:
        UserError: no checkpoint, or the data are not there any more.
    """
    if not checkpoints:
        raise UserError("nothing to score: --checkpoint DIR, or --data TASK=PATH", exit_code=2)
    try:
        lineage = read_manifest(folder_of(checkpoints[0])).lineage
    except CheckpointError as error:
        raise UserError(str(error)) from error
    found = []
    for record in lineage.tasks:
        if record.name in registry and (not wanted or record.name in wanted):
            if not (Path(record.data_root) / INFO).is_file():
                raise UserError(
                    f"the recordings of {record.name} are not at {record.data_root} any more: say "
                    f"--data {record.name}=PATH"
                )
            found.append(Source(record.name, Path(record.data_root)))
    return found


def open_source(source: Source, registry: TaskRegistry, options: Options) -> Recording:
    """Open a source's episodes.

    Raises:
        UserError: nothing is there, it is neither a dataset nor bags, or it is damaged.
    """
    task, path = task_called(source.task, registry), Path(source.path)
    if not path.exists():
        raise UserError(f"task {task.id} ({task.name}): {path} does not exist")
    if (path / INFO).is_file():
        return open_dataset(task, path, registry)
    if path.is_file() and not path.name.endswith(BAG_ENDINGS):
        raise UserError(f"{path} is neither a LeRobot dataset nor a bag (*.bag)")
    return open_bags(task, path, check_bag_options(options.end_effector, options.claw_closed_at))


def _told_by(path: Path, registry: TaskRegistry) -> str:
    """The task that a dataset says it shows."""
    try:
        told = read_about(path)["task_name"]
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{path} doesn't say which task it shows: --data TASK={path}, with TASK one of "
            f"{', '.join(registry)}",
            exit_code=2,
        ) from None
    return task_called(str(told), registry).name


def task_called(name: str, registry: TaskRegistry) -> Task:
    """The task of that name, id or alias, `task2` included.

    Raises:
        UserError: there is none; it lists them.
    """
    try:
        return registry.named(name[4:] if name.startswith("task") and name[4:].isdigit() else name)
    except UnknownTask as error:
        raise UserError(str(error), exit_code=2) from error
