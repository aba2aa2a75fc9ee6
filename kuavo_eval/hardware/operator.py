"""What the operator may say, at the terminal or through the service, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GRAMMAR = {
    "go": "the scene is arranged: begin",
    "success": "the task is done",
    "fail": "[tag] it is not, e.g. 'fail dropped'",
    "void": "REASON: this trial says nothing about the policy",
    "stage": "NAME: this stage of the rubric is reached now",
    "did": "TASK: this task was done instead",
    "intervention": "you had to help",
    "note": "TEXT: for the record",
    "quit": "end here; the same command goes on later",
}
_NEEDS_TEXT = {"void", "stage", "did", "note"}


class NotUnderstood(ValueError):
    """The operator said something else; the message lists what there is."""


@dataclass(frozen=True)
class Said:
    """word: one of GRAMMAR. text: what came after it."""

    word: str
    text: str = ""


def understood(line: str, rubric: Sequence[str], tasks: Sequence[str]) -> Said:
    """What a line means.

    Args:
        line: as typed.
        rubric: stages of the task in hand.
        tasks: known ones.

    Raises:
        NotUnderstood: says what is valid.
    """
    word, _, text = line.strip().partition(" ")
    word, text = word.casefold(), text.strip()
    if word not in GRAMMAR:
        raise NotUnderstood(f"{word!r} is not understood: say {', '.join(GRAMMAR)}")
    if word in _NEEDS_TEXT and not text:
        raise NotUnderstood(f"{word} {GRAMMAR[word]}")
    if word == "stage" and text not in rubric:
        raise NotUnderstood(f"there is no stage {text!r}: say {', '.join(rubric)}")
    if word == "did" and text not in tasks:
        raise NotUnderstood(f"there is no task {text!r}: say {', '.join(tasks)}")
    return Said(word, text)
