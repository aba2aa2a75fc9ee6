"""Check launch arguments before anything starts: `python3 -m kuavo_deploy.policy.arguments`.

    … arguments task=weighing checkpoint=DIR end_effector=lejuclaw      prints: weighing

roslaunch runs it while it reads the launch file and stops, with the message, if it fails. What is
wrong must not get as far as a node: roslaunch would start that again and again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.policy.instructions import Instructions
from kuavo_deploy.robot.end_effectors import Claw, get_end_effector
from kuavo_deploy.robot.version import load_limits
from kuavo_train.checkpoint.manifest import is_checkpoint, read_manifest
from kuavo_train.checkpoint.shipped import TRAINED, default_checkpoint
from kuavo_train.errors import TrainingError
from kuavo_train.tasks import load_tasks, task_named
from kuavo_train.tasks.registry import configs_root


def task(text: str) -> str:
    """The task's own name."""
    return task_named(text).name


def instruction(text: str) -> str:
    """Any text that could be passed on; empty stands for the task's own."""
    return Instructions(load_tasks(), "free").understood(text).label if text else ""


def checkpoint(text: str) -> str:
    """The absolute path of a folder with a checkpoint in it; empty: see `default_checkpoint`."""
    folder = Path(text).expanduser().absolute() if text else default_checkpoint()
    if not is_checkpoint(folder):
        raise ValueError(
            f"no checkpoint at {folder}: train one first, or pass checkpoint:=DIR with a folder "
            f"such as {TRAINED}"
        )
    return str(folder)


def end_effector(text: str) -> str:
    """The robot's `/end_effector_type`."""
    return get_end_effector(text).name


def claw_closed_at(text: str) -> str:
    """Which end of the claw's scale is closed."""
    Claw(_number(text))
    return text


def robot_version(text: str) -> str:
    """A version whose limits are known."""
    if not text.isdigit():
        raise ValueError(f"a robot version is a number such as 45, not {text!r}")
    load_limits(int(text), configs_root() / "robot")
    return text


def device(text: str) -> str:
    """What torch can be told, without importing it."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", text):
        raise ValueError("choose from auto, cpu, cuda, cuda:0, cuda:1 …")
    return text


def rate(text: str) -> str:
    """Arm commands per second."""
    ExecutorSettings(rate=_number(text))
    return text


def speed(text: str) -> str:
    """Share of the limits."""
    ExecutorSettings(speed=_number(text))
    return text


def deadman(text: str) -> str:
    """Seconds, or 0."""
    ExecutorSettings(deadman=_number(text))
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number is expected") from None


def record_to(text: str) -> str:
    """An existing folder; nodes run elsewhere, so its path is absolute."""
    folder = Path(text)
    if not folder.is_absolute():
        raise ValueError(f"the path must be absolute: record_to:={folder.absolute()}")
    if not folder.is_dir():
        raise ValueError(f"no such folder: mkdir -p {folder}")
    return text


CHECKS: dict[str, Callable[[str], str]] = {
    check.__name__: check
    for check in (
        task, instruction, checkpoint, end_effector, claw_closed_at, robot_version, device, rate,
        speed, deadman, record_to,
    )
}  # fmt: skip


def checked(arguments: Mapping[str, str]) -> dict[str, str]:
    """Every argument in its proper form.

    Raises:
        ValueError: one is wrong, or the checkpoint does not know the task; says what is valid.
    """
    arguments = dict(arguments)
    if arguments.pop("record", "true").lower() not in ("true", "1"):
        arguments.pop("record_to", None)
    answers = {}
    for name, text in arguments.items():
        try:
            answers[name] = CHECKS[name](text)
        except ValueError as error:
            raise ValueError(f"{name}:={text}: {error}") from error
    if "checkpoint" in answers and "task" in answers:
        _check_trained(answers["task"], Path(answers["checkpoint"]))
    return answers


def _check_trained(name: str, folder: Path) -> None:
    try:
        tasks = [record.name for record in read_manifest(folder).lineage.tasks]
    except TrainingError as error:
        raise ValueError(f"checkpoint:={folder}: {error}") from error
    if name not in tasks:
        raise ValueError(
            f"task:={name}: the checkpoint at {folder} was not trained on it; it knows "
            f"{', '.join(tasks) or 'no task'}"
        )


def main(arguments: list[str]) -> int:
    """Print the first argument's proper form; 1 and a sentence on stderr if any is wrong."""
    said = dict(argument.partition("=")[::2] for argument in arguments)
    try:
        answers = checked(said)
    except ValueError as error:
        # roslaunch prints a long report of its own around it
        print(f"\nThe launch stops here:\n\n  {error}\n", file=sys.stderr)
        return 1
    print(next(iter(answers.values())), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
