"""Check launch arguments before anything starts: `python3 -m kuavo_deploy.policy.arguments`.

    … arguments task=weighing checkpoint=DIR end_effector=lejuclaw      prints: weighing

roslaunch runs it while it reads the launch file and stops, with the message, if it fails.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from kuavo_deploy.policy.instructions import Instructions
from kuavo_deploy.robot.end_effectors import get_end_effector
from kuavo_deploy.robot.version import load_limits
from kuavo_train.tasks import load_tasks, task_named
from kuavo_train.tasks.registry import configs_root


def task(text: str) -> str:
    """The task's own name."""
    return task_named(text).name


def instruction(text: str) -> str:
    """Any text that could be passed on; empty stands for the task's own."""
    return Instructions(load_tasks(), "free").understood(text).label if text else ""


def checkpoint(text: str) -> str:
    """A folder with a checkpoint in it."""
    folder = Path(text).expanduser()
    if not (folder / "manifest.json").is_file():
        raise ValueError(
            f"no checkpoint at {folder}: train one first, or pass checkpoint:=DIR with a folder "
            "such as outputs/train/smolvla_sequential/task4_sorting/best"
        )
    return str(folder)


def end_effector(text: str) -> str:
    """The robot's `/end_effector_type`."""
    return get_end_effector(text).name


def robot_version(text: str) -> str:
    """A version whose limits are known."""
    if not text.isdigit():
        raise ValueError(f"a robot version is a number such as 45, not {text!r}")
    load_limits(int(text), configs_root() / "robot")
    return text


CHECKS: dict[str, Callable[[str], str]] = {
    check.__name__: check for check in (task, instruction, checkpoint, end_effector, robot_version)
}


def main(arguments: list[str]) -> int:
    """Print the first argument's proper form; 1 and a sentence on stderr if any is wrong."""
    answers = []
    for argument in arguments:
        name, _, text = argument.partition("=")
        try:
            answers.append(CHECKS[name](text))
        except ValueError as error:
            print(f"{name}:={text}: {error}", file=sys.stderr)
            return 1
    print(answers[0], end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
