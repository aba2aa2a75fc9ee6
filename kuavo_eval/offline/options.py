"""What an offline evaluation does, and how thoroughly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kuavo_eval.metrics.critical_intervals import Interval

ERROR, LOSS, SAMPLING, LANGUAGE, MODALITIES = PARTS = (
    "error",
    "loss",
    "sampling",
    "language",
    "modalities",
)
"""error: recorded episodes replayed, everything about actions over time. loss: the training's
validation loss. sampling, language, modalities: the same few frames many times."""


@dataclass(frozen=True)
class Options:
    """Settings of an evaluation.

    parts: which of `PARTS`. every: predict at every n-th frame. frames: about so many predictions
    a task: `every` grows until there are no more, but never past a chunk's length, so that every
    frame stays predicted. loss_frames, probe_frames: a task, evenly spread over its episodes.
    samples: draws of noise per probe frame. batch: frames per forward pass. seed: of all noise;
    0 is the training's own. replan_s: how often the robot takes a new chunk [s]. allow_seen:
    score episodes that were trained on. robot_version: whose limits. device, dtype: of
    checkpoints that are loaded. paraphrases: by task name. intervals: critical
    intervals by content hash, instead of those seeded from the hands. end_effector,
    claw_closed_at: of bags (see `kuavo data convert`).
    """

    parts: tuple[str, ...] = PARTS
    every: int = 1
    frames: int | None = None
    loss_frames: int = 256
    probe_frames: int = 48
    samples: int = 8
    batch: int = 16
    seed: int = 0
    replan_s: float = 0.5
    allow_seen: bool = False
    robot_version: int = 45
    device: str = "auto"
    dtype: str = "float32"
    paraphrases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    intervals: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)
    end_effector: str = "auto"
    claw_closed_at: float = 100.0

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: names the option and its valid values.
        """
        unknown = sorted(set(self.parts) - set(PARTS))
        if unknown or not self.parts:
            raise ValueError(f"unknown parts {unknown}: choose from {', '.join(PARTS)}")
        for name in ("every", "loss_frames", "probe_frames", "samples", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if self.frames is not None and self.frames < 1:
            raise ValueError(f"frames is {self.frames}: it must be at least 1")
        if self.replan_s <= 0:
            raise ValueError(f"replan_s is {self.replan_s}: it must be positive")

    def has(self, part: str) -> bool:
        """Whether a part is wanted."""
        return part in self.parts
