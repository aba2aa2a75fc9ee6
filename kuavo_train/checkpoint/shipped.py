"""The models that come with the project, and which checkpoint is meant when none is named."""

from __future__ import annotations

from pathlib import Path

from kuavo_train.checkpoint.manifest import is_checkpoint
from kuavo_train.tasks.registry import configs_root

TRAINED = Path("outputs/train/smolvla_sequential/task4_sorting/best")
"""Where the last of the four stages leaves its best checkpoint, from the project's folder."""


def shipped_base() -> Path:
    """The pretrained nano base model."""
    return _models() / "smolvla_nano_base"


def shipped_first() -> Path:
    """A nano model of all four tasks at once: good enough to make mistakes to learn from."""
    return _models() / "smolvla_nano_first"


def shipped_model() -> Path:
    """The nano model that was trained on all four tasks; not there before it succeeds at them."""
    return _models() / "smolvla_nano_kuavo"


def default_checkpoint() -> Path:
    """One's own chain's last stage where there is one, else the shipped model, if there is one."""
    trained = configs_root().parent / TRAINED
    shipped = shipped_model()
    return shipped if is_checkpoint(shipped) and not is_checkpoint(trained) else trained


def _models() -> Path:
    return configs_root().parent / "models"
