"""Success of every checkpoint on every task, from trials that began alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuavo_cli.errors import UserError
from kuavo_eval.continual.matrix import Matrix
from kuavo_eval.statistics import wilson
from kuavo_eval.trials import Trial, scored


def success_matrix(
    keys: Sequence[str], tasks: Sequence[str], trials: Sequence[Trial], seed: int
) -> Matrix:
    """Rates over the trials that count for all checkpoints.

    Raises:
        UserError: a checkpoint has no trial of a task in common with the others.
    """
    outcomes: dict[tuple[str, str], dict[str, bool]] = {}
    for trial in scored(trials):
        key = trial.checkpoint, trial.task
        outcomes.setdefault(key, {})[trial.trial] = bool(trial.success)
    sums, counts, rates = {}, {}, {}
    for task in tasks:
        of = [outcomes.get((key, task), {}) for key in keys]
        shared = sorted(set.intersection(*(set(found) for found in of)))
        if not shared:
            lacking = [key for key, found in zip(keys, of, strict=True) if not found]
            raise UserError(
                f"task {task}: the checkpoints share no trial that counts"
                + (f" ({', '.join(lacking)} has none)" if lacking else "")
            )
        sums[task] = np.array([[float(found[name]) for name in shared] for found in of])
        counts[task] = np.ones_like(sums[task])
        for label, row in zip(keys, sums[task], strict=True):
            rates[label, task] = wilson(int(row.sum()), len(shared))
    return Matrix.of(keys, tasks, "fraction", False, sums, counts, seed, rates=rates)
