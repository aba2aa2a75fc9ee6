"""What a person should take from the figures, in sentences: good, open or bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kuavo_eval.metrics.image_identity import TOLD_APART

GOOD, OPEN, BAD = "good", "open", "bad"
BLIND = 1.05
"""A policy whose error grows by less than this when it sees another moment's images is blind."""
ENOUGH = 5
"""Fewer episodes give intervals that are too rough to praise a policy by."""
Content = Mapping[str, Any]


def findings(document: Content) -> list[dict[str, str]]:
    """Level and sentence each, the gravest first."""
    found = [*_data(document)]
    for label, checkpoint in document["checkpoints"].items():
        said: dict[tuple[str, str], list[str]] = {}
        for task, scored in checkpoint["tasks"].items():
            if scored["void"]:
                found.append((BAD, f"{label}: no score on {task}: {scored['void']}"))
                continue
            known = task in checkpoint["trained_on"]
            for sentence in _task(document, task, scored, known):
                said.setdefault(sentence, []).append(task)
        every = len(document["tasks"])
        found += [
            (level, f"{label}, {_where(of, every)}: {text}") for (level, text), of in said.items()
        ]
    order = {BAD: 0, OPEN: 1, GOOD: 2}
    ordered = sorted(found, key=lambda f: order[f[0]])
    return [{"level": level, "text": text} for level, text in ordered]


def _where(tasks: list[str], every: int) -> str:
    return f"all {every} tasks" if len(tasks) == every > 2 else _and(tasks)


def _data(document: Content) -> Iterator[tuple[str, str]]:
    for task, data in document["tasks"].items():
        if data["seen"]:
            yield (
                BAD,
                f"{task}: {data['seen']} of {data['episodes']} scored episodes were trained on "
                "(--allow-seen): these are no held-out scores",
            )
        if data["void"]:
            yield OPEN, f"{task}: {_count(len(data['void']), 'episode')} could not be replayed"
        if data["episodes"] == 1:
            yield OPEN, f"{task}: one episode gives no intervals"
        elif data["episodes"] < ENOUGH:
            yield OPEN, f"{task}: {data['episodes']} episodes give rough intervals"


def _task(document: Content, task: str, scored: Content, known: bool) -> Iterator[tuple[str, str]]:
    enough = document["tasks"][task]["episodes"] >= ENOUGH
    if "skill" in scored:
        yield from _skill(scored["skill"], known, enough)
    if "instruction" in scored:
        yield from _language(document, task, scored["instruction"], known, enough)
    if "modalities" in scored:
        yield from _sight(scored["modalities"])
    if scored["loss_met"] is not None:
        reached = "within" if scored["loss_met"] else "above"
        yield GOOD if scored["loss_met"] else OPEN, f"validation loss {reached} the guide's limit"
    if "violations" in scored:
        yield from _safety(scored["violations"])


def _skill(skill: Content, known: bool, enough: bool) -> Iterator[tuple[str, str]]:
    hold = skill["hold"]
    best = [n for n in ("mean_trajectory", "nearest_demonstration") if _low(skill.get(n)) > 0]
    if _value(hold) <= 0:
        yield BAD if known else OPEN, "no better than not moving"
    elif len(best) == 2:
        yield (
            GOOD if enough else OPEN,
            "better than not moving, than the mean and than the nearest demonstration",
        )
    elif _low(hold) > 0:
        yield OPEN, "better than not moving, but not than replaying demonstrations"
    else:
        yield OPEN, "perhaps better than not moving: too few episodes to tell"


def _language(
    document: Content, task: str, language: Content, known: bool, enough: bool
) -> Iterator[tuple[str, str]]:
    chance, identified = document["chance"], language["identified"]
    alike = [
        other
        for other, accuracy in document["told_apart"].get(task, {}).items()
        if accuracy is not None and accuracy["value"] < TOLD_APART
    ]
    if _value(language["sensitivity"]) == 0:
        yield BAD, "its actions are the same under every instruction"
    elif _low(identified) > chance:
        if enough:
            yield GOOD, "its own instruction fits best more often than by chance"
        else:
            yield OPEN, "its own instruction fits best, on too few episodes to rule out chance"
    elif known and alike:
        yield (
            BAD,
            "the instruction has no measurable effect, though images alone do not tell the task "
            f"from {_and(alike)}",
        )
    elif known:
        yield (
            OPEN,
            "its own instruction fits no better than others; its images alone may tell the task, "
            "so that this proves little",
        )


def _sight(modalities: Content) -> Iterator[tuple[str, str]]:
    if _value(modalities["images_shuffled"]) < BLIND:
        yield BAD, "wrong images hardly change its error: it acts without looking"
    if _value(modalities["state_shuffled"]) < 1.0:
        yield OPEN, "another moment's joint state does not raise its error"


def _safety(violations: Content) -> Iterator[tuple[str, str]]:
    for name, words in (
        ("position", "commands beyond joint limits"),
        ("velocity", "commands faster than joints may move"),
    ):
        ours, theirs = _value(violations[name]), _value(violations[f"{name}_recorded"])
        if ours > max(2 * theirs, 0.01):
            yield OPEN, f"{words}: the executor would have to correct them"


def _value(quantity: Content | None) -> float:
    value = quantity["value"] if quantity else None
    return float("nan") if value is None else float(value)


def _low(quantity: Content | None) -> float:
    """The interval's lower end; NaN, which passes no comparison, without an interval."""
    low = quantity.get("low") if quantity else None
    return float("nan") if low is None else float(low)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
