"""What differed between two runs of trials besides the checkpoint: nothing is compared blindly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kuavo_eval.folder import SCORES, read_scores

ALIKE = 0.1
"""Measured numbers that differ by less than this part are the same condition."""
_OF_THE_RUN = {"trials per task", "scenes", "plan", "trials planned", "trials with a verdict"}
_LATENCY = "latency of inference"


def differing_conditions(a: Path, b: Path) -> list[dict[str, Any]]:
    """Conditions (`what`) that both evaluations note, with their different values `a` and `b`.

    How many trials there were, and on which scenes, is what pairing and the tests look at.
    A run that was stopped has noted none yet.
    """
    first, second = _conditions(a), _conditions(b)
    return [
        {"what": what, "a": value, "b": second[what]}
        for what, value in first.items()
        if what in second and not _same(value, second[what])
    ]


def _conditions(folder: Path) -> dict[str, Any]:
    if not (folder / SCORES).is_file():
        return {}
    noted: dict[str, Any] = {}
    for item in read_scores(folder).get("conditions") or []:
        # each checkpoint has a latency of its own; a run of several says nothing of one
        what = _LATENCY if item["what"].startswith(_LATENCY) else item["what"]
        noted[what] = None if what in noted else item["value"]
    return {k: v for k, v in noted.items() if v is not None and k not in _OF_THE_RUN}


def _same(a: Any, b: Any) -> bool:
    numbers = [v["value"] if isinstance(v, dict) else v for v in (a, b)]
    if all(isinstance(n, int | float) for n in numbers):
        return bool(abs(numbers[0] - numbers[1]) <= ALIKE * max(map(abs, numbers)))
    return bool(numbers[0] == numbers[1])
