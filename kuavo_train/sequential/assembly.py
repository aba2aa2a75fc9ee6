"""Everything a stage trains with, put together from its plan: policy, data, mixture, validator."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from omegaconf import DictConfig

from kuavo_train.cache.filling import fill
from kuavo_train.cache.kinds import DTYPES as CACHE_DTYPES
from kuavo_train.cache.kinds import Frames, FrozenPart
from kuavo_train.cache.live import teach
from kuavo_train.checkpoint.manifest import WEIGHTS, TaskRecord
from kuavo_train.checkpoint.processors import make_processors, tokenizer_of
from kuavo_train.checkpoint.reader import Checkpoint, open_checkpoint
from kuavo_train.episodes.augmentation import Augmentation
from kuavo_train.episodes.samples import Images, Kept, Samples
from kuavo_train.episodes.table import EpisodeTable
from kuavo_train.errors import TrainingError
from kuavo_train.policy.build import build_policy, set_vlm_dtype, source_name
from kuavo_train.policy.freezing import FreezingRule, apply_freezing, by_module, summary
from kuavo_train.policy.normalization import Statistics
from kuavo_train.policy.preprocessing import check_instruction_length
from kuavo_train.policy.seeds import mixed_seed
from kuavo_train.replay.mixture import Mixture
from kuavo_train.sequential.console import log
from kuavo_train.sequential.loop import LoopSettings
from kuavo_train.sequential.plan import JOINT, StagePlan
from kuavo_train.sequential.setting import (
    Recordings,
    chain_statistics,
    check_same_recordings,
    open_recordings,
    store_chain_statistics,
    task_records,
)
from kuavo_train.sequential.validation import Validator
from kuavo_train.tasks import TaskRegistry


@dataclass(frozen=True)
class Model:
    """The policy, what of it is trained, and its pipelines. folder: of the VLM's configuration."""

    policy: Any
    trainable: list[str]
    preprocess: Any
    postprocess: Any
    folder: tempfile.TemporaryDirectory[str]


@dataclass(frozen=True)
class Parts(Model):
    """All of it. parent_name: SHA-256 of the parent's weights, or the base model's name."""

    parent_name: str
    recordings: Recordings
    statistics: Statistics
    records: list[TaskRecord]
    samples: Samples
    mixture: Mixture
    loop_settings: LoopSettings
    validator: Validator

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        return self.loop_settings.steps_per_epoch


def assemble(
    config: DictConfig,
    registry: TaskRegistry,
    plan: StagePlan,
    accelerator: Accelerator,
    resumed: Checkpoint | None,
) -> Parts:
    """Open the data, fix the statistics, build the policy; nothing is written but the statistics.

    Raises:
        TrainingError: whatever is wrong with data, settings, parent or base model.
    """
    parent = open_checkpoint(plan.parent) if plan.parent else None
    recordings = open_recordings(config, registry, plan.seen)
    statistics = chain_statistics(config, plan, registry, parent, recordings)
    if resumed and resumed.statistics.hash != statistics.hash:
        raise TrainingError(
            f"{resumed.path}: the data's statistics are not those that this run started with; "
            "were episodes added? Start over with overwrite=true"
        )
    source = str(resumed.path) if resumed else source_name(plan.parent, config.policy)
    model = _model(config, registry, recordings, statistics, source, accelerator.device.type)
    tables = recordings.tables
    width, height = model.policy.config.resize_imgs_with_padding
    size, steps = (int(width), int(height)), int(model.policy.config.chunk_size)
    replayed = replayed_episodes(plan, recordings)
    records = task_records(plan, recordings, replayed, parent)
    if resumed:
        check_same_recordings(resumed, records)
    rows = {name: tables[name].rows(episodes) for name, episodes in replayed.items()}
    training = config.training
    batch = training.batch_size * training.gradient_accumulation * accelerator.num_processes
    settings = _loop_settings(config, plan, _steps_of_one_pass(plan, rows, batch))
    validator = Validator(
        tables,
        {task.name: recordings.splits[task.name].held_out for task in plan.seen},
        Samples(tables, steps, size),
        config.validation,
        int(training.batch_size),
        int(training.num_workers),
        accelerator.process_index,
        accelerator.num_processes,
    )
    total = plan.epochs * settings.steps_per_epoch
    augmentation = Augmentation(**config.augmentation)
    images, kept = _cached(config, model, augmentation, tables, rows, accelerator)
    parts = Parts(
        **vars(model),
        parent_name=parent.manifest.files[WEIGHTS] if parent else str(config.policy.pretrained),
        recordings=recordings,
        statistics=statistics,
        records=records,
        samples=Samples(tables, steps, size, augmentation, images, kept),
        mixture=Mixture(rows, plan.shares, batch, total, settings.seed),
        loop_settings=settings,
        validator=validator,
    )
    if parent is None and accelerator.is_main_process:
        store_chain_statistics(config, statistics)
    return parts


def replayed_episodes(plan: StagePlan, recordings: Recordings) -> dict[str, tuple[int, ...]]:
    """Training episodes that this stage draws from, per task."""
    chosen: dict[str, tuple[int, ...]] = {}
    for task in plan.seen:
        train = recordings.splits[task.name].train
        whole = task is plan.new or plan.name == JOINT
        chosen[task.name] = train if whole else plan.strategy.episodes(task.name, train)
        if not plan.shares.get(task.name):
            chosen[task.name] = ()
    return chosen


def _model(
    config: DictConfig,
    registry: TaskRegistry,
    recordings: Recordings,
    statistics: Statistics,
    source: str,
    device: str,
) -> Model:
    log.info("starting from %s", source)
    instructions = [task.instruction for task in registry.values()]
    first = next(iter(recordings.tables.values()))
    folder = tempfile.TemporaryDirectory(prefix="kuavo_train_")
    policy = build_policy(
        config.policy, source, first.image_shape, instructions, Path(folder.name), device
    )
    trainable = apply_freezing(policy, FreezingRule(**config.freezing))
    if not trainable:
        raise TrainingError("freezing leaves nothing to train")
    set_vlm_dtype(policy, config.policy.vlm_dtype, trainable)
    log.info("%s", summary(policy))
    parts = by_module(trainable).items()
    log.info("trainable: %s", ", ".join(f"{name} ({count})" for name, count in parts))
    log.debug("trainable tensors: %s", " ".join(trainable))
    preprocess, postprocess = make_processors(policy.config, statistics)
    for text in instructions:
        limit = policy.config.tokenizer_max_length
        check_instruction_length(tokenizer_of(preprocess), text, limit)
    return Model(policy, trainable, preprocess, postprocess, folder)


def _cached(
    config: DictConfig,
    model: Model,
    augmentation: Augmentation,
    tables: Mapping[str, EpisodeTable],
    rows: Mapping[str, np.ndarray],
    accelerator: Accelerator,
) -> tuple[Mapping[str, Images] | None, Mapping[str, Kept] | None]:
    """What samples read from the cache: their images, or what the policy makes of these."""
    name, folder = config.cache.kind, Path(config.cache.folder)
    if name == "none":
        return None, None
    workers = int(config.training.num_workers)
    if name == "frames":
        return fill(Frames(), tables, rows, folder, workers, accelerator), None
    teach(model.policy)
    dtype = CACHE_DTYPES[config.cache.dtype]
    kind = FrozenPart(name, model.policy, model.preprocess, augmentation, dtype)
    return None, fill(kind, tables, rows, folder, workers, accelerator)


def _loop_settings(config: DictConfig, plan: StagePlan, one_pass: int) -> LoopSettings:
    training = config.training
    return LoopSettings(
        seed=mixed_seed(int(training.seed), 0 if plan.name == JOINT else plan.new.id),
        batch=int(training.batch_size),
        accumulation=int(training.gradient_accumulation),
        workers=int(training.num_workers),
        max_gradient_norm=float(training.max_gradient_norm),
        log_steps=int(training.log_steps),
        save_steps=int(training.save_steps),
        steps_per_epoch=int(training.steps_per_epoch or one_pass),
        state_noise=float(training.state_noise),
        average_steps=None if training.average_steps is None else int(training.average_steps),
    )


def _steps_of_one_pass(plan: StagePlan, rows: dict[str, Any], batch: int) -> int:
    """Steps until every training frame of the new task was seen once (joint: of all)."""
    if plan.name == JOINT:
        return max(1, round(sum(len(r) for r in rows.values()) / batch))
    new = plan.new.name
    return max(1, round(len(rows[new]) / (batch * float(plan.shares[new]))))
