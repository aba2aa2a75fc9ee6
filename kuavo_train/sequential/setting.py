"""What a stage works with, opened and checked before the first step: data, split, statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from kuavo_deploy.robot.version import load_limits
from kuavo_train.checkpoint.atomic import atomic_file
from kuavo_train.checkpoint.manifest import TaskRecord
from kuavo_train.checkpoint.reader import Checkpoint, open_checkpoint, read_config
from kuavo_train.episodes.split import Split, split_episodes
from kuavo_train.episodes.table import EpisodeTable, open_table
from kuavo_train.errors import CheckpointError, DataError, TrainingError
from kuavo_train.policy import normalization
from kuavo_train.policy.build import local_model
from kuavo_train.policy.normalization import (
    Statistics,
    TaskVectors,
    from_data,
    from_limits,
    relative_vectors,
)
from kuavo_train.sequential.console import log
from kuavo_train.sequential.plan import JOINT, StagePlan, data_root
from kuavo_train.tasks import Task, TaskRegistry
from kuavo_train.tasks.registry import configs_root

PACKAGES = ("torch", "lerobot", "transformers", "accelerate", "safetensors", "numpy")


@dataclass(frozen=True)
class Recordings:
    """Tables and splits of the tasks seen so far, by name."""

    tables: dict[str, EpisodeTable]
    splits: dict[str, Split]


def open_recordings(config: Any, registry: TaskRegistry, tasks: tuple[Task, ...]) -> Recordings:
    """Open every task's dataset and hold episodes out."""
    tables, splits = {}, {}
    for task in tasks:
        table = open_table(task, data_root(config, task), registry, int(config.data.fps))
        split = split_episodes(
            task.name,
            len(table.episodes),
            float(config.validation.fraction),
            int(config.data.split_seed),
        )
        log.info(
            "task %d (%s): %d episodes, %d frames at %s; episodes held out: %d",
            task.id,
            task.name,
            len(table.episodes),
            len(table.states),
            table.root,
            len(split.held_out),
        )
        tables[task.name], splits[task.name] = table, split
    return Recordings(tables, splits)


def chain_statistics(
    config: Any,
    plan: StagePlan,
    registry: TaskRegistry,
    parent: Checkpoint | None,
    recordings: Recordings,
) -> Statistics:
    """The chain's one set of statistics: the parent's, or a new chain's.

    Joint training beside a chain takes the chain's, so that their losses can be compared.

    Raises:
        TrainingError: a later task is not recorded yet and the source is `data`; or the parent
            belongs to another chain than this output folder.
    """
    stored = Path(config.output_root) / normalization.FILE
    if plan.name == JOINT and stored.is_file():
        return Statistics.from_json(stored)
    if parent is None:
        return _new_chain(config, registry, recordings)
    if stored.is_file():
        chain = Statistics.from_json(stored)
        if chain.hash != parent.statistics.hash:
            raise CheckpointError(
                f"{parent.path} was trained with other normalization statistics "
                f"({parent.statistics.hash[:12]}…) than the chain in {config.output_root} "
                f"({chain.hash[:12]}…): its actions have another scale. Use a parent of this "
                "chain, or another output_root"
            )
    return parent.statistics


def _new_chain(config: Any, registry: TaskRegistry, recordings: Recordings) -> Statistics:
    source, relative = config.normalization.source, bool(config.normalization.relative)
    if source == "limits":
        if relative:
            raise TrainingError(
                "normalization=limits knows no relative motions: use normalization=data, or base"
            )
        limits = load_limits(int(config.normalization.robot_version), configs_root() / "robot")
        return from_limits(limits, float(config.normalization.workspace))
    if source == "base":
        base = open_checkpoint(local_model(config.policy.pretrained)).statistics
        if config.normalization.relative not in (None, base.relative):
            raise TrainingError(
                f"normalization.relative is {relative}, but the base {config.policy.pretrained} "
                f"was trained with {base.relative}: leave it out, or use normalization=data"
            )
        return base
    vectors = {}
    steps = _chunk_size(config) if relative else 0
    for task in registry.values():
        try:
            one = (
                recordings
                if task.name in recordings.tables
                else open_recordings(config, registry, (task,))
            )
        except DataError as error:
            raise DataError(
                f"{error}\nThe normalization is computed once, over all tasks, before stage 1. "
                "If this task is not recorded yet, use normalization=limits"
            ) from error
        table = one.tables[task.name]
        rows = table.rows(one.splits[task.name].train)
        if relative:
            chunks = np.stack([table.chunk(row, steps)[0] for row in rows])
            vectors[task.name] = relative_vectors(table.states[rows], chunks)
        else:
            vectors[task.name] = TaskVectors(table.states[rows], table.unified[rows])
    return from_data(vectors, relative)


def _chunk_size(config: Any) -> int:
    own = config.policy.chunk_size
    return int(own or read_config(local_model(config.policy.pretrained)).chunk_size)


def store_chain_statistics(config: Any, statistics: Statistics) -> None:
    """Keep the chain's statistics at the root of its folder (stage 1 starts a new chain)."""
    file = Path(config.output_root) / normalization.FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_file(file, statistics.to_json())


def task_records(
    plan: StagePlan,
    recordings: Recordings,
    replayed: Mapping[str, tuple[int, ...]],
    parent: Checkpoint | None,
) -> list[TaskRecord]:
    """What the checkpoint says of each task: every episode that any stage trained on."""
    before = {r.name: r for r in parent.manifest.lineage.tasks} if parent else {}
    records = []
    for task in plan.seen:
        table, split = recordings.tables[task.name], recordings.splits[task.name]
        trained = {str(e): table.hashes[e] for e in replayed.get(task.name, ())}
        if task.name in before:
            trained = {**before[task.name].trained, **trained}
        leaked = set(trained.values()) & {table.hashes[e] for e in split.held_out}
        if leaked:
            raise DataError(
                f"task {task.name}: {len(leaked)} held-out episodes were trained on before; keep "
                "data.split_seed and validation.fraction over all stages"
            )
        records.append(
            TaskRecord(
                task.id,
                task.name,
                task.instruction,
                task.action_dim,
                str(table.root),
                trained,
                {str(e): table.hashes[e] for e in split.held_out},
                start_posture(table, split.held_out),
            )
        )
    return records


def start_posture(table: EpisodeTable, held_out: Sequence[int]) -> list[float]:
    """The median of the training episodes' first states, 16 numbers."""
    first = table.starts[[e for e in table.episodes if e not in set(held_out)]]
    if not len(first):
        return []
    median = np.median(np.asarray(table.states[first], dtype=np.float64), axis=0)
    return [round(float(number), 5) for number in median]


def check_same_recordings(resumed: Checkpoint, records: list[TaskRecord]) -> None:
    """Raise DataError when a run would go on with other episodes than it began with."""
    stored = resumed.manifest.lineage.tasks
    before = {record.name: (record.trained, record.held_out) for record in stored}
    for record in records:
        if before.get(record.name) != (record.trained, record.held_out):
            raise DataError(
                f"the recordings of task {record.name} at {record.data_root} are not those that "
                f"the run in {resumed.path.parent} started with (episodes were added, removed or "
                "changed): resume=true continues only the same run; bring them back, or "
                "overwrite=true to start over"
            )


def package_versions() -> dict[str, str]:
    """Versions of what the result depends on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
