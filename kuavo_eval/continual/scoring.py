"""Loss and offline error of every checkpoint on every task, over the same held-out episodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuavo_cli.errors import UserError
from kuavo_eval.continual.matrix import Matrix
from kuavo_eval.continual.runs import Row, trained_on
from kuavo_eval.offline import OfflineScores, Source, score
from kuavo_eval.offline import Options as OfflineOptions
from kuavo_eval.offline.policies import open_policies
from kuavo_train.checkpoint.manifest import WEIGHTS

IN_MEMORY = 2 << 30
"""Weights of the checkpoints that are scored together [bytes]: one SmolVLA, or a hundred nanos."""


def score_rows(
    rows: Sequence[Row], sources: Sequence[Source], options: OfflineOptions
) -> dict[str, OfflineScores]:
    """Score the checkpoints, as many at once as fit in memory: images are decoded once for them.

    An episode that any of them was trained on is refused for all.

    Returns:
        Key of the row → the scores that have it as a label.
    """
    seen = trained_on([row.folder for row in rows])
    scores = {}
    for group in _groups(rows):
        policies = open_policies([row.folder for row in group], options.device, options.dtype)
        for row, policy in zip(group, policies, strict=True):
            policy.label, policy.trained = row.key, seen
        done = score(policies, sources, options)
        scores.update({row.key: done for row in group})
    return scores


def _groups(rows: Sequence[Row], limit: int = IN_MEMORY) -> list[list[Row]]:
    """In order, with at most `limit` bytes of weights each (one checkpoint may be larger)."""
    groups: list[list[Row]] = []
    total = limit + 1
    for row in rows:
        size = (row.folder / WEIGHTS).stat().st_size
        if total + size > limit:
            groups.append([])
            total = 0
        groups[-1].append(row)
        total += size
    return groups


def matrices(
    rows: Sequence[Row], scores: dict[str, OfflineScores], seed: int
) -> tuple[Matrix, Matrix]:
    """The matrices of loss and of normalized error."""
    keys = [row.key for row in rows]
    first = scores[keys[0]]
    for task in first.tasks:
        _check_same(task, [scores[key].episodes(task) for key in keys])
    void = {
        (key, task): scores[key].void(key, task)
        for key in keys
        for task in first.tasks
        if scores[key].void(key, task)
    }
    built = []
    for name, unit in (("loss_sums", ""), ("error_sums", "fraction")):
        pairs = {
            task: [getattr(scores[key], name)(key, task) for key in keys] for task in first.tasks
        }
        sums = {task: np.stack([s for s, _ in of]) for task, of in pairs.items()}
        counts = {task: np.stack([c for _, c in of]) for task, of in pairs.items()}
        built.append(Matrix.of(keys, first.tasks, unit, True, sums, counts, seed, void=void))
    return built[0], built[1]


def _check_same(task: str, episodes: list[list[str]]) -> None:
    if any(keys != episodes[0] for keys in episodes):
        raise UserError(f"task {task}: not every checkpoint was scored on the same episodes")
