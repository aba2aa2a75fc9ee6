"""One stage, from the configuration to `training_results.json`."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import load_model

from kuavo_train.checkpoint.manifest import Lineage
from kuavo_train.checkpoint.processors import make_processors, tokenizer_of
from kuavo_train.checkpoint.reader import Checkpoint, open_checkpoint
from kuavo_train.checkpoint.writer import WEIGHTS, write_checkpoint
from kuavo_train.episodes.augmentation import Augmentation
from kuavo_train.episodes.samples import Draw, Samples
from kuavo_train.errors import TrainingError
from kuavo_train.policy.build import build_policy, set_vlm_dtype, source_name
from kuavo_train.policy.flow_loss import LOSS_VERSION, FlowLoss, mixed_seed
from kuavo_train.policy.freezing import FreezingRule, apply_freezing, by_module, summary
from kuavo_train.policy.preprocessing import check_instruction_length
from kuavo_train.replay.mixture import Mixture
from kuavo_train.sequential import results
from kuavo_train.sequential.console import Monitor, log, table
from kuavo_train.sequential.language import LanguageSwitch, try_instructions
from kuavo_train.sequential.loop import LoopSettings, TrainingLoop
from kuavo_train.sequential.plan import StagePlan, resolved
from kuavo_train.sequential.plots import write_plots
from kuavo_train.sequential.resume import (
    Progress,
    check_same_config,
    load_state,
    save_state,
)
from kuavo_train.sequential.schedule import Schedule
from kuavo_train.sequential.setting import (
    Recordings,
    chain_statistics,
    open_recordings,
    package_versions,
    store_chain_statistics,
    task_records,
)
from kuavo_train.sequential.validation import Validation, Validator
from kuavo_train.tasks import TaskRegistry

BEST, RESUME, LAST_CONFIG = "best", "resume", "training_config.yaml"
PRECISIONS = ("no", "bf16")


class Stage:
    """One stage of the curriculum, opened and checked; `run` trains it.

    Args:
        config: the composed configuration.
        registry: all tasks.
        plan: what this stage does.
    """

    def __init__(self, config: DictConfig, registry: TaskRegistry, plan: StagePlan) -> None:
        self.config, self.registry, self.plan = config, registry, plan
        self.accelerator = make_accelerator(config)
        self._resumed = self._resume_point()
        parent = open_checkpoint(plan.parent) if plan.parent else None
        self.recordings = open_recordings(config, registry, plan.seen)
        self.statistics = chain_statistics(config, plan, registry, parent, self.recordings)
        if self._resumed and self._resumed.statistics.hash != self.statistics.hash:
            raise TrainingError(
                f"{self._resumed.path}: the data's statistics are not those that this run started "
                "with; were episodes added? Start over with overwrite=true"
            )
        if parent is None and self.accelerator.is_main_process:
            store_chain_statistics(config, self.statistics)
        self._work = tempfile.TemporaryDirectory(prefix="kuavo_train_")
        self._build_model(parent)
        self._build_data(parent)
        self.progress = Progress()

    # ---------------------------------------------------------------- setting up

    def _resume_point(self) -> Checkpoint | None:
        folder = self.plan.folder
        resume = folder / RESUME
        if self.config.resume and resume.is_dir():
            check_same_config(resume, resolved(self.config))
            return open_checkpoint(resume)
        there = folder.is_dir() and any(folder.iterdir())
        if there and not (self.config.overwrite or self.config.resume):
            raise TrainingError(
                f"{folder} already holds a run: resume=true continues it, overwrite=true starts "
                "over (and keeps the old one under another name)"
            )
        if there and self.config.overwrite and self.accelerator.is_main_process:
            number = 1
            while (aside := folder.with_name(f"{folder.name}.old{number}")).exists():
                number += 1
            folder.rename(aside)
            log.info("the old run was renamed to %s", aside)
        self.accelerator.wait_for_everyone()
        return None

    def _build_model(self, parent: Checkpoint | None) -> None:
        config, plan = self.config, self.plan
        instructions = [task.instruction for task in self.registry.values()]
        first = self.recordings.tables[plan.seen[0].name]
        source = (
            str(self._resumed.path) if self._resumed else source_name(plan.parent, config.policy)
        )
        log.info("starting from %s", source)
        self.policy = build_policy(
            config.policy,
            source,
            first.image_shape,
            instructions,
            Path(self._work.name),
            str(self.accelerator.device.type),
        )
        self.trainable = apply_freezing(self.policy, FreezingRule(**config.freezing))
        if not self.trainable:
            raise TrainingError("freezing leaves nothing to train")
        set_vlm_dtype(self.policy, config.policy.vlm_dtype, self.trainable)
        log.info("%s", summary(self.policy))
        log.info(
            "trainable: %s", ", ".join(f"{k} ({v})" for k, v in by_module(self.trainable).items())
        )
        self.preprocess, self.postprocess = make_processors(self.policy.config, self.statistics)
        for text in instructions:
            check_instruction_length(
                tokenizer_of(self.preprocess), text, self.policy.config.tokenizer_max_length
            )
        self.parent_name = (
            parent.manifest.files[WEIGHTS] if parent else str(config.policy.pretrained)
        )

    def _build_data(self, parent: Checkpoint | None) -> None:
        config, plan, tables = self.config, self.plan, self.recordings.tables
        width, height = self.policy.config.resize_imgs_with_padding
        size, steps = (int(width), int(height)), int(self.policy.config.chunk_size)
        self.samples = Samples(tables, steps, size, Augmentation(**config.augmentation))
        replayed = self._replayed()
        self.records = task_records(plan, self.recordings, replayed, parent)
        rows = {name: tables[name].rows(episodes) for name, episodes in replayed.items()}
        training = config.training
        batch = (
            training.batch_size * training.gradient_accumulation * self.accelerator.num_processes
        )
        self.steps_per_epoch = int(training.steps_per_epoch or self._steps_of_one_pass(rows, batch))
        seed = mixed_seed(int(training.seed), plan.new.id if plan.name != "joint" else 0)
        self.loop_settings = LoopSettings(
            seed=seed,
            batch=int(training.batch_size),
            accumulation=int(training.gradient_accumulation),
            workers=int(training.num_workers),
            max_gradient_norm=float(training.max_gradient_norm),
            log_steps=int(training.log_steps),
            save_steps=int(training.save_steps),
            steps_per_epoch=self.steps_per_epoch,
        )
        self.mixture = Mixture(rows, plan.shares, batch, plan.epochs * self.steps_per_epoch, seed)
        self.validator = Validator(
            tables,
            {task.name: self.recordings.splits[task.name].held_out for task in plan.seen},
            Samples(tables, steps, size),
            config.validation,
            int(training.batch_size),
            int(training.num_workers),
            self.accelerator.process_index,
            self.accelerator.num_processes,
        )

    def _replayed(self) -> dict[str, tuple[int, ...]]:
        """Training episodes that this stage draws from, per task."""
        chosen = {}
        for task in self.plan.seen:
            train = self.recordings.splits[task.name].train
            whole = task is self.plan.new or self.plan.name == "joint"
            chosen[task.name] = train if whole else self.plan.strategy.episodes(task.name, train)
            if not self.plan.shares.get(task.name):
                chosen[task.name] = ()
        return chosen

    def _steps_of_one_pass(self, rows: dict[str, Any], batch: int) -> int:
        """Steps until every training frame of the new task was seen once (joint: of all)."""
        if self.plan.name == "joint":
            return max(1, round(sum(len(r) for r in rows.values()) / batch))
        new = self.plan.new.name
        return max(1, round(len(rows[new]) / (batch * float(self.plan.shares[new]))))

    # ---------------------------------------------------------------- training

    def run(self) -> dict[str, Any]:
        """Train the stage; returns the content of `training_results.json`."""
        training, plan = self.config.training, self.plan
        parameters = dict(self.policy.named_parameters())
        optimizer = torch.optim.AdamW(
            [parameters[name] for name in self.trainable],
            lr=plan.learning_rate,
            betas=tuple(training.betas),
            eps=1e-8,
            weight_decay=float(training.weight_decay),
        )
        if self._resumed:
            self.progress = load_state(self._resumed.path, optimizer, self.trainable)
            log.info("resumed at step %d", self.progress.step)
        self.optimizer = optimizer
        model, prepared = self.accelerator.prepare(FlowLoss(self.policy), optimizer)
        self.model = model
        steps = len(self.mixture)
        schedule = Schedule(
            plan.learning_rate,
            steps,
            int(training.warmup_steps),
            float(training.final_learning_rate),
        )
        loop = TrainingLoop(
            self.accelerator,
            model,
            prepared,
            self.preprocess,
            self.samples,
            self.mixture,
            schedule,
            self.loop_settings,
            self._describe,
        )
        log.info(
            "%d epochs of %d steps, batch %d: %s",
            plan.epochs,
            self.steps_per_epoch,
            self.mixture.counts[0].sum(),
            ", ".join(f"{name} {float(share):.0%}" for name, share in plan.shares.items() if share),
        )
        with self._monitor(steps) as monitor:
            if self.progress.start is None:
                self.progress.start = self._validate(0)
                self._report(self.progress.start, monitor)
            loop.run(
                self.progress,
                monitor,
                self._save_resume,
                lambda epoch: self._epoch_end(epoch, monitor),
            )
        return self._finish()

    def _monitor(self, steps: int) -> Monitor:
        batch = int(self.mixture.counts[0].sum())
        return Monitor(
            self.plan.folder,
            self.plan.title,
            steps,
            self.progress.step,
            batch,
            self.accelerator.is_main_process,
        )

    def _describe(self, origin: Draw) -> str:
        return self.recordings.tables[origin.task].locate(origin.row)

    def _epoch_end(self, epoch: int, monitor: Monitor) -> bool:
        """Validate, keep the best, store the epoch. Returns whether to stop early."""
        settings, plan = self.config.validation, self.plan
        history = self.progress.history
        last = epoch == plan.epochs
        stop = False
        if epoch % int(settings.every_epochs) == 0 or last:
            history.append(self._validate(epoch))
            self._report(history[-1], monitor)
            stop = results.exhausted(history, plan, settings.best, settings.early_stopping)
            if results.best_of(history, plan, settings.best) is history[-1]:
                self._write(BEST, epoch)
            if stop and not last:
                log.info(
                    "stopping early: no improvement in %d validations", settings.early_stopping
                )
        if epoch % int(self.config.training.save_epochs) == 0:
            self._write(f"epoch{epoch}", epoch)
        return stop

    def _validate(self, epoch: int) -> Validation:
        model = self.accelerator.unwrap_model(self.model)
        sums = self.validator.sums(model, self.preprocess, self.postprocess)
        sums = {
            name: self.accelerator.reduce(total.to(self.accelerator.device), "sum").cpu()
            for name, total in sums.items()
        }
        return self.validator.scores(sums, epoch, self.progress.step)

    def _report(self, validation: Validation, monitor: Monitor) -> None:
        plan = self.plan
        for task in plan.seen:
            score = validation.tasks[task.name]
            monitor.scalar(f"validation/task{task.id}_loss", score.loss, validation.step)
            for kind in ("arms", "hands", "base"):
                value = getattr(score, kind)
                if value is not None:
                    monitor.scalar(f"validation/task{task.id}_{kind}_error", value, validation.step)
        monitor.flush()
        log.info("validation after epoch %d:\n%s", validation.epoch, scores_table(plan, validation))
        if validation.epoch == 0 or self.progress.start is None:
            return
        for entry in results.analyse(plan, self.progress.start, validation):
            log.info(
                "  forgetting, %s: %s (%.3f → %.3f, %+.0f %%)",
                entry.task,
                entry.verdict,
                entry.before,
                entry.now,
                100 * entry.change,
            )
        for line in results.warnings(plan, validation):
            log.warning("  WARNING: %s", line)

    # ---------------------------------------------------------------- writing

    def _write(self, name: str, epoch: int, extra: Callable[[Path], None] | None = None) -> None:
        if self.accelerator.is_main_process:
            lineage = Lineage(
                parent=self.parent_name,
                stage=self.plan.name,
                epoch=epoch,
                step=self.progress.step,
                tasks=self.records,
                loss_version=LOSS_VERSION,
                trainable=self.trainable,
                packages=package_versions(),
            )
            yaml = OmegaConf.to_yaml(OmegaConf.create(resolved(self.config)))
            write_checkpoint(
                self.plan.folder / name, self.policy, self.statistics, lineage, yaml, extra
            )
        self.accelerator.wait_for_everyone()

    def _save_resume(self) -> None:
        def state(folder: Path) -> None:
            save_state(folder, self.optimizer, self.trainable, self.progress)

        self._write(RESUME, self.progress.step // self.steps_per_epoch, state)

    def _finish(self) -> dict[str, Any]:
        """Judge `best/`, write results and plots."""
        plan, settings = self.plan, self.config.validation
        history, start = self.progress.history, self.progress.start
        assert start is not None
        best = results.best_of(history, plan, settings.best)
        switch = self._language()
        judged = results.criteria(plan, best, switch.switches if switch else None)
        extra = {
            "criteria": judged,
            "language": switch.to_dict() if switch else None,
            "training_seconds": round(self.progress.seconds, 1),
            "steps": self.progress.step,
            "normalization_hash": self.statistics.hash,
            "trainable": self.trainable,
        }
        content = results.stage_results(plan, history, start, settings.best, extra)
        if self.accelerator.is_main_process:
            results.write_json(plan.folder / results.FILE, content)
            write_plots(plan.folder, plan, content)
        log.info(
            "%s is done. best/ is epoch %d:\n%s", plan.title, best.epoch, scores_table(plan, best)
        )
        for row in judged:
            value = row["value"] if isinstance(row["value"], bool) else f"{row['value']:.3f}"
            log.info(
                "  %s %s (%s)", "met    " if row["met"] else "NOT MET", row["criterion"], value
            )
        log.info("results: %s", plan.folder / results.FILE)
        return content

    def _language(self) -> LanguageSwitch | None:
        if len(self.plan.seen) < 2 or not self.accelerator.is_main_process:
            return None
        load_model(self.policy, self.plan.folder / BEST / WEIGHTS)
        validator = Validator(
            self.recordings.tables,
            {t.name: self.recordings.splits[t.name].held_out for t in self.plan.seen},
            self.validator.samples,
            self.config.validation,
            int(self.config.training.batch_size),
            int(self.config.training.num_workers),
        )
        return try_instructions(
            validator,
            FlowLoss(self.policy),
            self.preprocess,
            self.plan.seen,
            int(self.config.validation.language_frames),
        )


def make_accelerator(config: DictConfig) -> Accelerator:
    """Processes, device and precision."""
    training = config.training
    if training.mixed_precision not in PRECISIONS:
        raise TrainingError(
            f"training.mixed_precision is {training.mixed_precision!r}: choose from no, bf16"
        )
    if training.device not in ("auto", "cpu", "cuda"):
        raise TrainingError(f"training.device is {training.device!r}: choose from auto, cpu, cuda")
    if training.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("training.device=cuda, but no usable GPU was found (see kuavo doctor)")
    return Accelerator(cpu=training.device == "cpu", mixed_precision=training.mixed_precision)


def scores_table(plan: StagePlan, validation: Validation) -> str:
    """Validation, one task per row."""
    rows: list[tuple[Any, ...]] = [
        ("task", "", "loss", "limit", "dims", "arms [rad]", "hands", "base")
    ]
    for task in plan.seen:
        score = dataclasses.asdict(validation.tasks[task.name])
        shown = ["–" if score[k] is None else f"{score[k]:.4f}" for k in ("arms", "hands", "base")]
        rows.append(
            (
                task.id,
                task.name,
                f"{score['loss']:.4f}",
                f"{plan.limits[task.name]:g}",
                score["dimensions"],
                *shown,
            )
        )
    return table(rows)


__all__ = ["Recordings", "Stage", "make_accelerator"]
