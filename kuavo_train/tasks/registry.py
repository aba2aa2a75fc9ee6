"""Task definitions, read from one YAML file each, and how a person may name them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from kuavo_deploy.robot.layout import check_action_dim

CONFIGS_VARIABLE = "KUAVO_CONFIGS"
_FIELDS = {
    "id": int,
    "name": str,
    "name_zh": str,
    "description": str,
    "instruction": str,
    "aliases": list,
    "data_root": str,
    "action_dim": int,
}


class UnknownTask(ValueError):
    """A name that no task answers to; the message lists the valid ones."""


@dataclass(frozen=True)
class Task:
    """One task.

    id: 1, 2, …: the order of the curriculum. name: ASCII identifier. name_zh: 中文名称.
    instruction: what the policy is told. aliases: other names a person may use.
    data_root: folder of the task's LeRobot dataset. action_dim: 16, or 20 when the base walks.
    """

    id: int
    name: str
    name_zh: str
    description: str
    instruction: str
    aliases: tuple[str, ...]
    data_root: str
    action_dim: int

    @property
    def folder(self) -> str:
        """The name of its training output and config file, e.g. `task2_weighing`."""
        return f"task{self.id}_{self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that names this task, its instruction included."""
        return (self.name, str(self.id), self.name_zh, self.folder, *self.aliases, self.instruction)


class TaskRegistry(Mapping[str, Task]):
    """Tasks by name, in the order of their ids."""

    def __init__(self, tasks: list[Task]) -> None:
        self._tasks = {task.name: task for task in sorted(tasks, key=lambda task: task.id)}
        self._by_any_name: dict[str, Task] = {}
        for task in tasks:
            for name in task.names:
                other = self._by_any_name.setdefault(_normalized(name), task)
                if other is not task:
                    raise ValueError(f"tasks {other.name} and {task.name} are both called {name!r}")

    def __getitem__(self, name: str) -> Task:
        return self._tasks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def named(self, text: str | int) -> Task:
        """The task that `text` names: name, id, 中文 name, alias or instruction.

        Case, surrounding space and full-width forms don't matter.

        Raises:
            UnknownTask: no task answers to it; the message lists what is valid.
        """
        task = self._by_any_name.get(_normalized(str(text)))
        if task is None:
            valid = ", ".join(f"{t.id} {t.name} ({t.name_zh})" for t in self.values())
            shown = str(text) if len(str(text)) <= 80 else str(text)[:77] + "…"
            raise UnknownTask(
                f"unknown task {shown!r}: choose from {valid}, their aliases or instructions"
            )
        return task


def configs_root() -> Path:
    """The folder `configs/`: $KUAVO_CONFIGS, else the checkout's or the installed package's."""
    override = os.environ.get(CONFIGS_VARIABLE)
    if override:
        return Path(override)
    checkout = Path(__file__).resolve().parents[2] / "configs"
    if checkout.is_dir():
        return checkout
    for prefix in os.environ.get("ROS_PACKAGE_PATH", "").split(os.pathsep):
        for share in (Path(prefix) / "kuavo_deploy", Path(prefix)):
            if (share / "configs" / "policy").is_dir():
                return share / "configs"
    raise FileNotFoundError(
        f"configs/ not found beside the package nor in ROS_PACKAGE_PATH: set ${CONFIGS_VARIABLE}"
    )


def load_tasks(folder: Path | str | None = None) -> TaskRegistry:
    """All tasks of `folder` (default: the project's own).

    Raises:
        ValueError: a file misses a field, has a wrong type, or two tasks share an id or a name.
    """
    folder = Path(folder) if folder else configs_root() / "policy" / "task" / "tasks"
    return _load(folder.resolve())


def task_named(text: str | int) -> Task:
    """Shorthand for `load_tasks().named(text)`."""
    return load_tasks().named(text)


@lru_cache(maxsize=8)
def _load(folder: Path) -> TaskRegistry:
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise FileNotFoundError(f"no task files (*.yaml) in {folder}")
    tasks = [_read(file) for file in files]
    ids = [task.id for task in tasks]
    if len(set(ids)) != len(ids):
        raise ValueError(f"two tasks in {folder} share an id: {sorted(ids)}")
    return TaskRegistry(tasks)


def _read(file: Path) -> Task:
    content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{file} is not a task: expected the fields {', '.join(_FIELDS)}")
    missing = [field for field in _FIELDS if field not in content]
    if missing:
        raise ValueError(f"{file} lacks {', '.join(missing)}")
    for field, kind in _FIELDS.items():
        if not isinstance(content[field], kind):
            raise ValueError(f"{file}: {field} must be {kind.__name__}, is {content[field]!r}")
    if not content["instruction"].strip():
        raise ValueError(f"{file}: the instruction is empty; it is what the policy is told")
    check_action_dim(content["action_dim"])
    values = {field: content[field] for field in _FIELDS}
    values["aliases"] = tuple(str(alias) for alias in content["aliases"])
    return Task(**values)


def _normalized(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
