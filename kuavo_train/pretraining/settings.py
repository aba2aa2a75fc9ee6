"""What a pretraining run is made of; `configs/policy/pretraining/NAME.yaml`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from kuavo_train.errors import TrainingError


@dataclass
class Settings:
    """architecture: a file of configs/policy/architecture. steps: of the optimizer.

    start: folder of a base model of this architecture to go on from; empty: random weights.

    frames, queries, noises: per step, frame and query. stories: share of the pointing phrases that
    name several things. class_weight, flow_weight, vote_weight: of these losses beside the pointing
    loss. held_out: every n-th shard is for validation. validate_steps, save_steps: how often.
    validation_batches: of `frames` frames each. hidden_learning_rate: Muon's, for the hidden
    layers' matrices, as a factor of the other one.
    """

    architecture: str = "nano"
    start: str = ""
    seed: int = 0
    steps: int = 1500
    frames: int = 16
    queries: int = 4
    noises: int = 3
    stories: float = 0.0
    learning_rate: float = 2.0e-3
    hidden_learning_rate: float = 3.0
    warmup_steps: int = 50
    final_learning_rate: float = 0.05
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    max_gradient_norm: float = 1.0
    class_weight: float = 0.5
    flow_weight: float = 0.5
    vote_weight: float = 1.0
    brightness: float = 0.15
    held_out: int = 20
    validate_steps: int = 100
    validation_batches: int = 4
    save_steps: int = 50

    def __post_init__(self) -> None:
        """Raises TrainingError: a number that no run can be made with."""
        for names, (low, high) in _RANGES.items():
            for name in names.split():
                if not low <= getattr(self, name) <= high:
                    valid = f"at least {low:g}" if high == math.inf else f"{low:g} to {high:g}"
                    raise TrainingError(
                        f"pretraining settings: {name} is {getattr(self, name):g}: {valid}"
                    )


_RANGES = {
    "steps frames queries noises validate_steps validation_batches save_steps": (1, math.inf),
    "held_out": (2, math.inf),
    "stories brightness final_learning_rate": (0, 1),
    "warmup_steps weight_decay class_weight flow_weight vote_weight": (0, math.inf),
}

MAY_CHANGE = frozenset(
    {
        "steps",
        "learning_rate",
        "hidden_learning_rate",
        "validate_steps",
        "validation_batches",
        "save_steps",
    }
)
"""A run may go on longer, or at another pace: the course of the learning rate follows."""


def read_settings(folder: Path, name: str, overrides: Sequence[str]) -> Settings:
    """The settings called `name`, with `key=value` overrides.

    Raises:
        TrainingError: unknown name, key or type.
    """
    file = folder / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(f.stem for f in folder.glob("*.yaml")))
        raise TrainingError(f"unknown pretraining settings {name!r}: choose from {known}")
    try:
        merged: Any = OmegaConf.merge(
            OmegaConf.structured(Settings),
            OmegaConf.load(file),
            OmegaConf.from_dotlist(list(overrides)),
        )
        settings: Settings = OmegaConf.to_object(merged)  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        raise TrainingError(f"pretraining settings: {str(error).splitlines()[0]}") from error
    return settings
