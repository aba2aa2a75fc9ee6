"""How a checkpoint's own training measured its validation loss: frames, noise and times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kuavo_train.checkpoint.writer import TRAINING_CONFIG
from kuavo_train.tasks.registry import configs_root

_DEFAULT = Path("policy/smolvla_sequential_base.yaml")


@dataclass(frozen=True)
class ValidationSetting:
    """frames: per task, evenly spread over the held-out episodes. seed: of noise and times."""

    frames: int
    seed: int


def validation_setting(checkpoint: Path) -> ValidationSetting:
    """From the checkpoint's own configuration, else from the project's."""
    found = _group(checkpoint / TRAINING_CONFIG) or _group(configs_root() / _DEFAULT)
    return ValidationSetting(int(found["frames"]), int(found["seed"]))


def _group(file: Path) -> dict[str, Any]:
    try:
        group = dict(yaml.safe_load(file.read_text(encoding="utf-8"))["validation"])
        return group if {"frames", "seed"} <= set(group) else {}
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}
