"""Exact shares: how many samples of each task a batch holds.

A batch of 16 at 20/80 wants 3.2 and 12.8 samples. Each batch gets 3 or 4 and 13 or 12, and the
remainder is carried on, so that five batches hold exactly 16 and 64: never a lucky draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from kuavo_train.errors import TrainingError


def check_shares(shares: Mapping[str, float], where: str) -> dict[str, Fraction]:
    """The shares as exact fractions that add up to one.

    Raises:
        TrainingError: negative, not adding up to 1, or nothing at all.
    """
    exact = {name: Fraction(str(share)) for name, share in shares.items()}
    total = sum(exact.values(), Fraction(0))
    if any(share < 0 for share in exact.values()) or abs(total - 1) > Fraction(1, 1000):
        shown = ", ".join(f"{name} {float(share):g}" for name, share in exact.items())
        raise TrainingError(f"{where} must be shares that add up to 1, got {shown}")
    return {name: share / total for name, share in exact.items()}


def batch_counts(shares: Mapping[str, Fraction], batch: int, batches: int) -> np.ndarray:
    """Samples per batch and task, shape (batches, tasks), int.

    Every row sums to `batch`; every number is its share rounded down or up; the sum over the
    first k rows stays within one batch-independent constant of k · batch · share.
    """
    wanted = [share * batch for share in shares.values()]
    whole = np.array([int(quota) for quota in wanted])
    parts = [quota - int(quota) for quota in wanted]
    extra = batch - int(whole.sum())
    counts = np.tile(whole, (batches, 1))
    owed = [Fraction(0) for _ in parts]
    for row in range(batches):
        owed = [debt + part for debt, part in zip(owed, parts, strict=True)]
        # Only who is owed a fraction may get one more, the largest debt first.
        order = sorted(
            (i for i, part in enumerate(parts) if part), key=lambda i: owed[i], reverse=True
        )
        for index in order[:extra]:
            counts[row, index] += 1
            owed[index] -= 1
    return counts
