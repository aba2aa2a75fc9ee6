"""The outcome in one sentence that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kuavo_eval.report.text import shown

A, B, OPEN, EQUAL = "A", "B", "open", "too small"
"""Decisions: A or B is better; open: more could tell; the difference seen matters to nobody."""


def decision(row: Mapping[str, Any], alpha: float, lower_is_better: bool) -> str:
    """Of one task: A, B or OPEN (see `settle` for EQUAL)."""
    value = row["difference"]["value"]
    if row["p_holm"] >= alpha or value is None or value == 0:
        return OPEN
    return A if (value < 0) == lower_is_better else B


def sentence(tasks: Mapping[str, Mapping[str, Any]], document: Mapping[str, Any]) -> str:
    """The whole outcome.

    For example: 'A is better at weighing: 18/20 against 11/20, p = 0.03 after Holm; no decision
    on the others: 31 more pairs for 80 % power.'
    """
    parts = []
    for side in (A, B):
        won = [name for name, row in tasks.items() if row["decision"] == side]
        if won:
            listed = ", ".join(f"{name} ({_figures(tasks[name], document, side)})" for name in won)
            if len(won) == 1:
                listed = f"{won[0]}: {_figures(tasks[won[0]], document, side)}"
            parts.append(f"{side} is better at {listed}")
    undecided = [name for name, row in tasks.items() if row["decision"] == OPEN]
    equal = [name for name, row in tasks.items() if row["decision"] == EQUAL]
    if undecided:
        others = bool(parts) and not equal and len(undecided) > 1
        parts.append(_undecided(tasks, undecided, others, document["method"]))
    if equal:
        parts.append(f"no difference worth more trials at {', '.join(equal)}")
    text = "; ".join(parts)
    return text[0].upper() + text[1:] + "."


def level(tasks: Mapping[str, Mapping[str, Any]]) -> str:
    """Colour of the verdict's box: good when A wins somewhere and nowhere loses, and so on."""
    decisions = {row["decision"] for row in tasks.values()}
    if A in decisions and B not in decisions:
        return "good"
    if B in decisions and A not in decisions:
        return "bad"
    return "open"


def _figures(row: Mapping[str, Any], document: Mapping[str, Any], side: str) -> str:
    first, second = (row["a"], row["b"]) if side == A else (row["b"], row["a"])
    if "successes" in first:
        text = " against ".join(f"{s['successes']}/{s['trials']}" for s in (first, second))
    else:
        bare = ({"value": s["value"], "unit": s["unit"]} for s in (first, second))
        text = f"{document['method']['measure']} " + " against ".join(map(shown, bare))
    p = shown(row["p_holm"], "p")
    return f"{text}, p {p if p.startswith('<') else f'= {p}'} after Holm"


def _undecided(
    tasks: Mapping[str, Mapping[str, Any]],
    names: list[str],
    others: bool,
    method: Mapping[str, Any],
) -> str:
    text = f"no decision on {'the others' if others else ', '.join(names)}"
    if method["sequential"]:
        return f"{text} yet: go on"
    more = sorted({tasks[name]["more"] for name in names})
    span = f"{more[0]}" if len(more) == 1 else f"{more[0]} to {more[-1]}"
    unit = tasks[names[0]]["unit"]
    return f"{text}: {span} more {unit} for {shown(method['power'], 'fraction', 0)} power"
