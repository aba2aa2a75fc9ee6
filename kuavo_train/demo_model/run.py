"""Runs the steps, notes what each took, and skips what is done when called again."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kuavo_train.data.workspace import write_atomically
from kuavo_train.demo_model.recipe import Step
from kuavo_train.errors import TrainingError

NOTES = "steps.json"


def run_steps(
    made: Sequence[Step],
    out: Path,
    say: Callable[[str], None],
    program: Sequence[str] = ("kuavo",),
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, dict[str, Any]]:
    """Run every step that is not done yet.

    Args:
        made: the steps, in order.
        out: `steps.json` in it says which command each step was, whether it is done, and the
            seconds it has run for, interruptions left out.
        say: tells the person who waits.
        program: what a step's arguments are given to.
        clock: [s].

    Returns:
        The content of `steps.json`.

    Raises:
        TrainingError: a step failed; or a finished one was made by another command.
    """
    out.mkdir(parents=True, exist_ok=True)
    notes = _read(out / NOTES)
    for number, step in enumerate(made, 1):
        note = notes.setdefault(step.name, {"command": step.arguments, "seconds": 0.0})
        _check_same(note, step, out)
        title = f"step {number} of {len(made)}, {step.name}"
        if note.get("done") and step.makes.exists():
            say(f"{title}: done ({_words(note['seconds'])})")
            continue
        say(f"{title}: {shlex.join([*program, *step.arguments])}")
        began = clock()
        try:
            code = subprocess.run([*program, *step.arguments], check=False).returncode
        finally:
            note["seconds"] += clock() - began
            write_atomically(out / NOTES, json.dumps(notes, indent=2) + "\n")
        if code:
            raise TrainingError(
                f"{title} ended with {code} (see above): call the same command again to go on"
            )
        note["done"] = True
        write_atomically(out / NOTES, json.dumps(notes, indent=2) + "\n")
        say(f"{title}: {_words(note['seconds'])}")
    say(f"all {len(made)} steps: {_words(sum(note['seconds'] for note in notes.values()))}")
    return notes


def _check_same(note: dict[str, Any], step: Step, out: Path) -> None:
    if note["command"] != step.arguments and not note.get("done"):
        note["command"] = step.arguments
    if note["command"] != step.arguments:
        raise TrainingError(
            f"{out}: {step.name} was made by\n  kuavo {shlex.join(note['command'])}\nnow it would "
            f"be\n  kuavo {shlex.join(step.arguments)}\nUse the old settings, or another folder"
        )


def _read(file: Path) -> dict[str, dict[str, Any]]:
    if not file.is_file():
        return {}
    try:
        content: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TrainingError(f"{file} is damaged: {error}") from error
    return content


def _words(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.1f} min"
