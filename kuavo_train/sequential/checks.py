"""Settings that make no sense, found before a dataset is opened or a minute is spent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from kuavo_train.errors import TrainingError
from kuavo_train.optimizer import KINDS

CHOICES = {
    "mode": ("sequential", "joint"),
    "training.device": ("auto", "cpu", "cuda"),
    "training.mixed_precision": ("no", "bf16"),
    "training.optimizer": KINDS,
    "validation.best": ("mean_seen", "new_task"),
    "normalization.source": ("data", "limits", "base"),
    "normalization.relative": (True, False, None),
    "cache.kind": ("none", "frames", "vision", "prefix"),
    "cache.dtype": ("float32", "bfloat16"),
}
WHOLE = {  # setting → the least value
    "data.fps": 1,
    "training.batch_size": 1,
    "training.gradient_accumulation": 1,
    "training.num_workers": 0,
    "training.warmup_steps": 0,
    "training.steps_per_epoch": 1,
    "training.average_steps": 1,
    "training.log_steps": 1,
    "training.save_steps": 1,
    "training.save_epochs": 1,
    "validation.every_epochs": 1,
    "validation.frames": 1,
    "validation.sampled_frames": 0,
    "validation.language_frames": 1,
    "validation.early_stopping": 1,
    "augmentation.views": 1,
}
OPTIONAL = (
    "training.steps_per_epoch", "training.average_steps", "validation.early_stopping",
    "augmentation.views",
)  # fmt: skip
POSITIVE = ("training.max_gradient_norm", "training.hidden_learning_rate")
NOT_NEGATIVE = ("training.weight_decay", "training.final_learning_rate", "training.state_noise")


def check_settings(config: DictConfig) -> None:
    """Raise TrainingError for the first setting that is none, naming it and what is valid."""
    for key, choices in CHOICES.items():
        value = OmegaConf.select(config, key)
        if value not in choices:
            raise TrainingError(f"{key} is {value!r}: choose from {', '.join(map(str, choices))}")
    for key, least in WHOLE.items():
        value = OmegaConf.select(config, key)
        if not (value is None and key in OPTIONAL):
            _check_whole(key, value, least)
    for key in (*POSITIVE, *NOT_NEGATIVE):
        _check_number(key, OmegaConf.select(config, key), zero=key in NOT_NEGATIVE)
    for name, stage in config.sequential.items():
        if isinstance(stage, Mapping) and "epochs" in stage:
            _check_whole(f"sequential.{name}.epochs", stage["epochs"], 1)
            _check_number(f"sequential.{name}.learning_rate", stage["learning_rate"], zero=False)


def _check_whole(key: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise TrainingError(f"{key} is {value!r}: it must be a whole number, at least {least}")


def _check_number(key: str, value: Any, zero: bool) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise TrainingError(
            f"{key} is {value!r}: it must be a number {'≥ 0' if zero else 'above 0'}"
        )
