"""Before a stage begins: processes and device, a run to continue, room for a new one."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from omegaconf import DictConfig

from kuavo_train.checkpoint.reader import Checkpoint, open_checkpoint
from kuavo_train.errors import TrainingError
from kuavo_train.sequential.console import log
from kuavo_train.sequential.plan import StagePlan, resolved
from kuavo_train.sequential.resume import check_same_config

RESUME = "resume"


def make_accelerator(config: DictConfig) -> Accelerator:
    """Processes, device and precision.

    Raises:
        TrainingError: no usable GPU.
    """
    training = config.training
    if training.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("training.device=cuda, but no usable GPU was found (see kuavo doctor)")
    return Accelerator(cpu=training.device == "cpu", mixed_precision=training.mixed_precision)


def resume_point(config: DictConfig, plan: StagePlan) -> Checkpoint | None:
    """The state to continue from, verified; None: start from the parent.

    Raises:
        TrainingError: a run is there and nobody said what to do with it, or it was started with
            other settings.
    """
    stored = plan.folder / RESUME
    if config.resume and stored.is_dir():
        check_same_config(stored, resolved(config))
        return open_checkpoint(stored)
    if _occupied(plan) and not (config.overwrite or config.resume):
        raise TrainingError(
            f"{plan.folder} already holds a run: resume=true continues it, overwrite=true starts "
            "over (and keeps the old one under another name)"
        )
    return None


def make_room(config: DictConfig, plan: StagePlan, accelerator: Accelerator) -> None:
    """With `overwrite=true` put an old run aside, once everything else was found in order."""
    if config.overwrite and not config.resume and accelerator.is_main_process and _occupied(plan):
        number = 1
        while (aside := plan.folder.with_name(f"{plan.folder.name}.old{number}")).exists():
            number += 1
        plan.folder.rename(aside)
        log.info("the old run was renamed to %s", aside)
    accelerator.wait_for_everyone()


def _occupied(plan: StagePlan) -> bool:
    return plan.folder.is_dir() and any(plan.folder.iterdir())
