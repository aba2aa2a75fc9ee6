"""Skill: how much of a baseline's error a policy removes."""

from __future__ import annotations


def skill(error: float, baseline: float) -> float:
    """1 − error/baseline: 1 is perfect, 0 as good as the baseline, below 0 worse.

    NaN where the baseline makes no error: nothing can be removed.
    """
    return 1.0 - error / baseline if baseline > 0 else float("nan")
