"""The learning rate as a function of the step: linear warm-up, then a cosine down."""

from __future__ import annotations

import math
from dataclasses import dataclass

WARMUP_PART = 0.05


@dataclass(frozen=True)
class Schedule:
    """peak: the stage's learning rate. final: what is left of it at the end, as a factor."""

    peak: float
    steps: int
    warmup_steps: int
    final: float

    def at(self, step: int) -> float:
        """Learning rate of optimizer step `step`, counted from 0."""
        warmup = min(self.warmup_steps, int(self.steps * WARMUP_PART))
        if step < warmup:
            return self.peak * (step + 1) / (warmup + 1)
        done = (step - warmup) / max(1, self.steps - warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        return self.peak * (self.final + (1 - self.final) * cosine)
