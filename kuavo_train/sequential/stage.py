"""One stage: train it, validate it, keep the best, judge it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from safetensors.torch import load_model

from kuavo_train.checkpoint.manifest import WEIGHTS, Lineage
from kuavo_train.checkpoint.writer import write_checkpoint
from kuavo_train.episodes.samples import Draw
from kuavo_train.errors import TrainingError
from kuavo_train.optimizer.make import make_optimizer
from kuavo_train.policy.flow_loss import LOSS_VERSION, FlowLoss
from kuavo_train.sequential import results
from kuavo_train.sequential.assembly import assemble
from kuavo_train.sequential.console import Monitor, log, table
from kuavo_train.sequential.failures import explained
from kuavo_train.sequential.language import LanguageSwitch, try_instructions
from kuavo_train.sequential.loop import TrainingLoop
from kuavo_train.sequential.opening import RESUME, make_accelerator, make_room, resume_point
from kuavo_train.sequential.pace import Pace
from kuavo_train.sequential.plan import StagePlan, resolved
from kuavo_train.sequential.plots import shown, write_plots
from kuavo_train.sequential.resume import Progress, load_state, save_state
from kuavo_train.sequential.schedule import Schedule
from kuavo_train.sequential.setting import package_versions
from kuavo_train.sequential.validation import Validation
from kuavo_train.tasks import TaskRegistry

BEST = "best"


class Stage:
    """One stage of the curriculum, opened and checked; `run` trains it.

    Args:
        config: the composed configuration.
        registry: all tasks.
        plan: what this stage does.
    """

    def __init__(self, config: DictConfig, registry: TaskRegistry, plan: StagePlan) -> None:
        self.config, self.plan = config, plan
        self.accelerator = make_accelerator(config)
        self.progress = Progress()
        with self._explained():
            self._resumed = resume_point(config, plan)
            self.parts = assemble(config, registry, plan, self.accelerator, self._resumed)

    def run(self) -> dict[str, Any]:
        """Train the stage; returns the content of `training_results.json`."""
        with self._explained():
            return self._run()

    def _explained(self) -> AbstractContextManager[None]:
        return explained(int(self.config.training.batch_size), self.accelerator.device)

    def _run(self) -> dict[str, Any]:
        make_room(self.config, self.plan, self.accelerator)
        training, plan = self.config.training, self.plan
        parameters = dict(self.parts.policy.named_parameters())
        self.named = make_optimizer(
            str(training.optimizer),
            {name: parameters[name] for name in self.parts.trainable},
            plan.learning_rate,
            tuple(training.betas),
            float(training.weight_decay),
            float(training.hidden_learning_rate),
        )
        if self._resumed:
            self.progress = load_state(self._resumed.path, self.named)
            log.info("resumed at step %d", self.progress.step)
        model, prepared = self.accelerator.prepare(
            FlowLoss(self.parts.policy), self.named.optimizer
        )
        self.model = model
        steps = len(self.parts.mixture)
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
            self.parts.preprocess,
            self.parts.samples,
            self.parts.mixture,
            schedule,
            self.parts.loop_settings,
            self._describe,
        )
        log.info(
            "%d epochs of %d steps, batch %d: %s",
            plan.epochs,
            self.parts.steps_per_epoch,
            self.parts.mixture.counts[0].sum(),
            ", ".join(f"{name} {float(share):.0%}" for name, share in plan.shares.items() if share),
        )
        with self._monitor(steps) as monitor:
            if self.progress.start is None:
                self.progress.start = self._validate(0)
                self._report(self.progress.start, monitor)
            if not self._stopped_early():  # a run that had ended is not continued
                loop.run(
                    self.progress,
                    monitor,
                    self._save_resume,
                    lambda epoch: self._epoch_end(epoch, monitor),
                )
        return self._finish(loop.pace, int(self.parts.mixture.counts[0].sum()))

    def _monitor(self, steps: int) -> Monitor:
        batch = int(self.parts.mixture.counts[0].sum())
        return Monitor(
            self.plan.folder,
            self.plan.title,
            steps,
            self.progress.step,
            batch,
            self.accelerator.is_main_process,
        )

    def _describe(self, origin: Draw) -> str:
        return self.parts.recordings.tables[origin.task].locate(origin.row)

    def _epoch_end(self, epoch: int, monitor: Monitor) -> bool:
        """Validate, keep the best, store the epoch. Returns whether to stop early."""
        settings, plan = self.config.validation, self.plan
        history = self.progress.history
        last = epoch == plan.epochs
        stop = False
        if epoch % int(settings.every_epochs) == 0 or last:
            history.append(self._validate(epoch))
            self._report(history[-1], monitor)
            stop = self._stopped_early()
            if results.best_of(history, plan, settings.best) is history[-1]:
                self._write(BEST, epoch)
            if stop and not last:
                log.info(
                    "stopping early: no improvement in %d validations", settings.early_stopping
                )
        if epoch % int(self.config.training.save_epochs) == 0:
            self._write(f"epoch{epoch}", epoch)
        return stop

    def _stopped_early(self) -> bool:
        settings = self.config.validation
        return results.exhausted(
            self.progress.history, self.plan, settings.best, settings.early_stopping
        )

    def _validate(self, epoch: int) -> Validation:
        model = self.accelerator.unwrap_model(self.model)
        sums = self.parts.validator.sums(model, self.parts.preprocess, self.parts.postprocess)
        sums = {
            name: self.accelerator.reduce(total.to(self.accelerator.device), "sum").cpu()
            for name, total in sums.items()
        }
        scored = self.parts.validator.scores(sums, epoch, self.progress.step)
        bad = [name for name, loss in scored.losses().items() if not math.isfinite(loss)]
        if bad:
            raise TrainingError(
                f"the validation loss of {', '.join(bad)} is not finite after epoch {epoch}; best/ "
                "is as it was. Lower the stage's learning_rate (overwrite=true starts over)"
            )
        return scored

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
                parent=self.parts.parent_name,
                stage=self.plan.name,
                epoch=epoch,
                step=self.progress.step,
                tasks=self.parts.records,
                loss_version=LOSS_VERSION,
                trainable=self.parts.trainable,
                packages=package_versions(),
            )
            yaml = OmegaConf.to_yaml(OmegaConf.create(resolved(self.config)))
            write_checkpoint(
                self.plan.folder / name,
                self.parts.policy,
                self.parts.statistics,
                lineage,
                yaml,
                extra,
            )
        self.accelerator.wait_for_everyone()

    def _save_resume(self) -> None:
        def state(folder: Path) -> None:
            save_state(folder, self.named, self.progress)

        self._write(RESUME, self.progress.step // self.parts.steps_per_epoch, state)

    def _finish(self, pace: Pace, batch: int) -> dict[str, Any]:
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
            "samples_per_second": pace.steps_per_second and batch * pace.steps_per_second,
            "waiting_for_data": pace.waiting_share,
            "normalization_hash": self.parts.statistics.hash,
            "trainable": self.parts.trainable,
        }
        content = results.stage_results(plan, history, start, settings.best, extra)
        if self.accelerator.is_main_process:
            results.write_json(plan.folder / results.FILE, content)
            write_plots(plan.folder, plan, content)
        log.info(
            "%s is done. best/ is epoch %d:\n%s", plan.title, best.epoch, scores_table(plan, best)
        )
        for row in judged:
            value = shown(row["value"])
            log.info(
                "  %s %s (%s)", "met    " if row["met"] else "NOT MET", row["criterion"], value
            )
        log.info("results: %s", plan.folder / results.FILE)
        return content

    def _language(self) -> LanguageSwitch | None:
        if len(self.plan.seen) < 2 or not self.accelerator.is_main_process:
            return None
        load_model(self.parts.policy, self.plan.folder / BEST / WEIGHTS)
        return try_instructions(
            self.parts.validator.alone(),
            FlowLoss(self.parts.policy),
            self.parts.preprocess,
            self.plan.seen,
            int(self.config.validation.language_frames),
        )


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
