"""What a killed run needs to go on to the same weights, bit by bit.

Batches, noise, times, augmentation and the learning rate are functions of the seed and the step,
so only three things are stored beside the weights: the optimizer's moments, the step, and the
validations so far. `resume/` is a full checkpoint with these in it, written atomically.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file

from kuavo_train.checkpoint.writer import TRAINING_CONFIG
from kuavo_train.errors import TrainingError
from kuavo_train.optimizer.make import Named, put_state, state_of
from kuavo_train.sequential.validation import Validation

OPTIMIZER = "optimizer.safetensors"
STATE = "training_state.json"

MAY_CHANGE = (
    "resume",
    "overwrite",
    "log_file",
    "output_root",
    "data.root",
    "task.data_root",
    "cache.folder",
    "training.num_workers",
    "training.device",
    "training.log_steps",
    "training.save_steps",
)
"""Settings that don't touch the weights. Where the recordings lie is one of them: the episodes are
compared by what is in them (`setting.check_same_recordings`)."""
_ROOTS = "data.roots."


@dataclass
class Progress:
    """How far a stage has come. step: optimizer steps done. history: validations, oldest first."""

    step: int = 0
    start: Validation | None = None
    history: list[Validation] = field(default_factory=list)
    seconds: float = 0.0

    def to_json(self) -> str:
        """Readable and exact."""
        return json.dumps(
            {
                "step": self.step,
                "start": self.start.to_dict() if self.start else None,
                "history": [v.to_dict() for v in self.history],
                "seconds": self.seconds,
            },
            indent=2,
        )

    @classmethod
    def from_json(cls, text: str) -> Progress:
        """What `to_json` wrote."""
        content = json.loads(text)
        return cls(
            content["step"],
            Validation.from_dict(content["start"]) if content["start"] else None,
            [Validation.from_dict(v) for v in content["history"]],
            content["seconds"],
        )


def save_state(folder: Path, named: Named, progress: Progress) -> None:
    """Write optimizer and progress into a checkpoint that is being written."""
    save_file(state_of(named), folder / OPTIMIZER)
    (folder / STATE).write_text(progress.to_json(), encoding="utf-8")


def load_state(folder: Path, named: Named) -> Progress:
    """Put a stored state into a fresh optimizer; returns the progress."""
    put_state(named, load_file(folder / OPTIMIZER))
    return Progress.from_json((folder / STATE).read_text(encoding="utf-8"))


def check_same_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse to continue under settings that would change the result.

    Raises:
        TrainingError: with the differences, old and new.
    """
    stored = OmegaConf.to_container(OmegaConf.load(folder / TRAINING_CONFIG))
    assert isinstance(stored, dict)
    old, new = dict(_flat(stored)), dict(_flat(config))
    changed = [
        f"  {key}: {old.get(key, '(absent)')!r} → {new.get(key, '(absent)')!r}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key) and key not in MAY_CHANGE and not key.startswith(_ROOTS)
    ]
    if changed:
        raise TrainingError(
            "the run at "
            f"{folder.parent} was started with other settings; resume=true continues only the "
            "same run:\n"
            + "\n".join(changed)
            + "\nuse the old values, or overwrite=true to start over"
        )


def _flat(content: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
