"""The base model as a checkpoint: as stage 1 found it, before its first step."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from kuavo_cli.errors import UserError
from kuavo_eval.continual.runs import Run
from kuavo_train.checkpoint.reader import open_checkpoint
from kuavo_train.checkpoint.writer import TRAINING_CONFIG, write_checkpoint
from kuavo_train.errors import TrainingError
from kuavo_train.policy.build import build_policy


def known_base(run: Run) -> Path | None:
    """The folder that stage 1 started from, if it still is there."""
    folder = Path(run.parent)
    return folder if (folder / "config.json").is_file() else None


def write_untrained(base: Path | str, run: Run, target: Path) -> Path:
    """Give the base model the chain's robot, normalization and instructions, and write it.

    Args:
        base: folder (or hub name) of a SmolVLA.
        run: whose base it is.
        target: folder of the checkpoint to make.

    Raises:
        UserError: no such model, or one of another architecture.
    """
    first = run.stages[0].folder
    try:
        like = open_checkpoint(first)
        text = (first / TRAINING_CONFIG).read_text(encoding="utf-8")
        options = OmegaConf.create(text).policy
        shape = next(iter(like.config.image_features.values())).shape
        texts = [record.instruction for record in run.records]
        with tempfile.TemporaryDirectory(prefix="kuavo_eval_") as work:
            policy = build_policy(options, str(base), tuple(shape), texts, Path(work), "cpu")
            lineage = replace(
                like.manifest.lineage,
                parent=str(base),
                stage="0",
                epoch=0,
                step=0,
                trainable=[],
                tasks=[replace(record, trained={}) for record in run.records],
            )
            write_checkpoint(target, policy, like.statistics, lineage, text)
    except TrainingError as error:
        raise UserError(str(error)) from error
    return target
