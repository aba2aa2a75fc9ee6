"""The plan of all batches of a stage: a pure function of the seed and the step.

Nothing is drawn from a running random state, so a run can be resumed at any step, and several
processes can each take their part of the same global batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache

import numpy as np

from kuavo_train.episodes.samples import Draw
from kuavo_train.errors import DataError
from kuavo_train.policy.seeds import mixed_seed
from kuavo_train.replay.shares import batch_counts


class Mixture:
    """Batches with exact shares; each task's rows in shuffled passes without repetition.

    Args:
        rows: per task, the rows that may be drawn (training episodes only).
        shares: per task, adding up to one.
        batch: size of the global batch.
        steps: batches in the stage.
        seed: of the shuffling.
    """

    def __init__(
        self,
        rows: Mapping[str, np.ndarray],
        shares: Mapping[str, Fraction],
        batch: int,
        steps: int,
        seed: int,
    ) -> None:
        self.tasks = [name for name, share in shares.items() if share > 0]
        empty = [name for name in self.tasks if len(rows[name]) == 0]
        if empty:
            raise DataError(f"no frames to draw from for {', '.join(empty)}")
        self._rows = {name: np.asarray(rows[name]) for name in self.tasks}
        self._seed = seed
        self.counts = batch_counts({name: shares[name] for name in self.tasks}, batch, steps)
        self._before = np.vstack([np.zeros(len(self.tasks), int), np.cumsum(self.counts, axis=0)])
        self._permutation = lru_cache(maxsize=2 * len(self.tasks))(self._shuffled)

    def __len__(self) -> int:
        return len(self.counts)

    def batch(self, step: int) -> list[Draw]:
        """The global batch of a step, tasks mixed within it."""
        draws: list[Draw] = []
        for index, task in enumerate(self.tasks):
            first = int(self._before[step, index])
            draws += [
                Draw(task, self._row(index, number), 0)
                for number in range(first, first + int(self.counts[step, index]))
            ]
        order = np.random.default_rng([self._seed, 1, step]).permutation(len(draws))
        return [
            draws[i]._replace(seed=mixed_seed(self._seed, step, place))
            for place, i in enumerate(order)
        ]

    def _row(self, index: int, number: int) -> int:
        rows = self._rows[self.tasks[index]]
        turn, position = divmod(number, len(rows))
        return int(rows[self._permutation(index, turn)[position]])

    def _shuffled(self, index: int, turn: int) -> np.ndarray:
        length = len(self._rows[self.tasks[index]])
        return np.random.default_rng([self._seed, 2, index, turn]).permutation(length)


class LocalBatches:
    """What one process loads: its slice of each global batch, in micro-batches, from a step on.

    A torch batch sampler. The global batch is cut into accumulation × processes slices; process
    p takes slices p, p + processes, …
    """

    def __init__(
        self, mixture: Mixture, size: int, accumulation: int, rank: int, world: int, first: int
    ) -> None:
        self._mixture = mixture
        self._size = size
        self._accumulation = accumulation
        self._rank = rank
        self._world = world
        self._first = first

    def __len__(self) -> int:
        return (len(self._mixture) - self._first) * self._accumulation

    def __iter__(self) -> Iterator[list[Draw]]:
        for step in range(self._first, len(self._mixture)):
            draws = self._mixture.batch(step)
            for micro in range(self._accumulation):
                yield draws[self.rows(micro)]

    def rows(self, micro: int) -> slice:
        """Where micro-batch `micro` of this process lies in the global batch."""
        start = (micro * self._world + self._rank) * self._size
        return slice(start, start + self._size)
