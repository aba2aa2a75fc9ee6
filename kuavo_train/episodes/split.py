"""Train and held-out episodes: split by whole episodes, the same in every stage.

An episode's side depends on the seed and its own index alone, so that task 1's held-out episodes
stay held out when task 1 is replayed in stage 4.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from kuavo_train.errors import DataError


@dataclass(frozen=True)
class Split:
    """Episode indices, sorted."""

    train: tuple[int, ...]
    held_out: tuple[int, ...]


def split_episodes(task_name: str, count: int, fraction: float, seed: int) -> Split:
    """Hold out `fraction` of the episodes, at least one.

    Raises:
        DataError: fewer than two episodes, or a fraction outside (0, 1).
    """
    if not 0 < fraction < 1:
        raise DataError(f"validation.fraction is {fraction}: it must lie between 0 and 1")
    if count < 2:
        raise DataError(
            f"task {task_name} has {count} episode: one to train on and one to validate on "
            "are needed"
        )
    held = min(max(1, round(count * fraction)), count - 1)
    order = sorted(range(count), key=lambda episode: _rank(task_name, episode, seed))
    return Split(tuple(sorted(order[held:])), tuple(sorted(order[:held])))


def _rank(task_name: str, episode: int, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{task_name}/{episode}".encode()).digest()
