"""What of an earlier task may come back. One small interface, chosen by `replay.strategy`.

`uniform` is the guide's: every training episode of every earlier task. `reservoir` keeps a few
whole episodes per task (2–5 % is what the literature finds enough for a pretrained policy:
arXiv 2603.03818), as a lab does that cannot keep all recordings. `none` is the floor that shows
what forgetting is. Shares within a batch are the stage's, not the strategy's, except that `none`
gives everything to the new task.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kuavo_train.errors import TrainingError


class ReplayStrategy(Protocol):
    """Chooses episodes and shares."""

    def episodes(self, task: str, train: Sequence[int]) -> tuple[int, ...]:
        """Which of an earlier task's training episodes may be replayed."""
        ...

    def shares(self, wanted: Mapping[str, float], new: str) -> dict[str, float]:
        """The batch shares, given the stage's configured ones."""
        ...


@dataclass(frozen=True)
class Uniform:
    """All training episodes of the earlier tasks."""

    def episodes(self, task: str, train: Sequence[int]) -> tuple[int, ...]:
        """All of them."""
        return tuple(train)

    def shares(self, wanted: Mapping[str, float], new: str) -> dict[str, float]:
        """As configured."""
        return dict(wanted)


@dataclass(frozen=True)
class Reservoir(Uniform):
    """A fixed random subset of whole episodes per earlier task.

    fraction: of the training episodes, at least one. The subset depends on task, episode and
    seed alone: later stages replay the same episodes, and a larger fraction contains a smaller.
    """

    fraction: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise TrainingError(f"replay.fraction is {self.fraction}: it must be in (0, 1]")

    def episodes(self, task: str, train: Sequence[int]) -> tuple[int, ...]:
        """The subset."""
        kept = max(1, math.ceil(len(train) * self.fraction))
        return tuple(sorted(sorted(train, key=lambda e: self._rank(task, e))[:kept]))

    def _rank(self, task: str, episode: int) -> bytes:
        return hashlib.sha256(f"reservoir/{self.seed}/{task}/{episode}".encode()).digest()


@dataclass(frozen=True)
class NoReplay(Uniform):
    """Nothing: the new task alone."""

    def episodes(self, task: str, train: Sequence[int]) -> tuple[int, ...]:
        """None of them."""
        return ()

    def shares(self, wanted: Mapping[str, float], new: str) -> dict[str, float]:
        """Everything for the new task."""
        return {new: 1.0}


STRATEGIES: dict[str, Callable[..., ReplayStrategy]] = {
    "uniform": Uniform,
    "reservoir": Reservoir,
    "none": NoReplay,
}


def make_strategy(name: str, **options: float) -> ReplayStrategy:
    """The strategy called `name`.

    Raises:
        TrainingError: unknown name or option.
    """
    if name not in STRATEGIES:
        raise TrainingError(
            f"unknown replay.strategy {name!r}: choose from {', '.join(STRATEGIES)}"
        )
    try:
        return STRATEGIES[name](**options)
    except TypeError as error:
        raise TrainingError(f"replay.strategy {name}: {error}") from error
