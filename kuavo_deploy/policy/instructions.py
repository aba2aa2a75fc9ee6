"""What a person may tell the robot, and what the policy is told then."""

from __future__ import annotations

import difflib
import unicodedata
from dataclasses import dataclass
from enum import Enum

from kuavo_train.tasks import Task, TaskRegistry, UnknownTask

MAX_LENGTH = 400
"""Characters; the longest instruction of the four tasks has 151."""
NEAREST = 0.6
"""Share of matching characters from which a text counts as a known one, misspelt."""


class Mode(str, Enum):
    """How text that names no task is treated."""

    KNOWN = "known"
    NEAREST = "nearest"
    FREE = "free"


class InstructionRefused(ValueError):
    """A text that is not acted on; the message says why."""


@dataclass(frozen=True)
class Instruction:
    """task: name of a known task, or '' for free text. text: what the policy is told."""

    task: str
    text: str

    @property
    def label(self) -> str:
        """What is acknowledged."""
        return self.task or self.text


class Instructions:
    """Turns what is said into an instruction.

    Args:
        registry: the known tasks.
        mode: known: only what names a task. nearest: also what is close to a name or an
            instruction. free: everything else is passed to the policy as it is.
        trained: instructions by task name that the checkpoint was trained with; a task outside
            it is refused, and its own wording is used where the registry's differs.
    """

    def __init__(
        self, registry: TaskRegistry, mode: str | Mode, trained: dict[str, str] | None = None
    ) -> None:
        try:
            self.mode = Mode(mode)
        except ValueError:
            valid = ", ".join(m.value for m in Mode)
            raise ValueError(f"unknown instruction mode {mode!r}: choose from {valid}") from None
        self._registry, self._trained = registry, trained

    def understood(self, said: str) -> Instruction:
        """The instruction that a text stands for.

        Raises:
            InstructionRefused: empty, too long, not text, or unknown.
        """
        text = _clean(said)
        try:
            return self._of_task(self._registry.named(text))
        except UnknownTask as error:
            if self.mode is Mode.FREE:
                return Instruction("", text)
            if self.mode is Mode.NEAREST:
                near = self._nearest(text)
                if near is not None:
                    return self._of_task(near)
            raise InstructionRefused(str(error)) from error

    def _of_task(self, task: Task) -> Instruction:
        if self._trained is None:
            return Instruction(task.name, task.instruction)
        if task.name not in self._trained:
            raise InstructionRefused(
                f"the checkpoint was not trained on {task.name}: it knows "
                f"{', '.join(self._trained) or 'no task'}"
            )
        return Instruction(task.name, self._trained[task.name])

    def _nearest(self, text: str) -> Task | None:
        names = {name.casefold(): task for task in self._registry.values() for name in task.names}
        # a single digit is near to everything that is short
        names = {name: task for name, task in names.items() if len(name) > 1}
        found = difflib.get_close_matches(text.casefold(), list(names), n=1, cutoff=NEAREST)
        return names[found[0]] if found else None


def _clean(said: str) -> str:
    if not isinstance(said, str):
        raise InstructionRefused(f"an instruction is text, not {type(said).__name__}")
    if len(said) > MAX_LENGTH:
        raise InstructionRefused(
            f"an instruction has at most {MAX_LENGTH} characters, this one {len(said)}"
        )
    text = " ".join(said.split())
    if not text:
        raise InstructionRefused("the instruction is empty")
    strange = [letter for letter in text if not _printable(letter)]
    if strange:
        raise InstructionRefused(f"the instruction is not text: it has {strange[0]!r}")
    return text


def _printable(letter: str) -> bool:
    # controls, surrogates, private and unassigned code points, and the replacement character
    return unicodedata.category(letter)[0] != "C" and letter != "\ufffd"
