"""What one stage does, read from the configuration: tasks, shares, parent, limits, folder."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from kuavo_train.errors import TrainingError
from kuavo_train.replay.shares import check_shares
from kuavo_train.replay.strategies import ReplayStrategy, make_strategy
from kuavo_train.tasks import Task, TaskRegistry

JOINT = "joint"
RESULTS = "training_results.json"


@dataclass(frozen=True)
class StagePlan:
    """One stage.

    name: "1", "2", … or "joint". new: the task it adds (joint: the last). seen: all tasks up to
    it. shares: per task name, of each batch. parent: the checkpoint it starts from; None: the
    base model. limits, warnings: validation loss per task name.
    """

    name: str
    new: Task
    seen: tuple[Task, ...]
    shares: dict[str, Fraction]
    strategy: ReplayStrategy
    parent: Path | None
    folder: Path
    epochs: int
    learning_rate: float
    limits: dict[str, float]
    warnings: dict[str, float]
    has_knobs: bool = True
    """Whether the configuration has this stage's own settings (stage 5 and on share theirs)."""

    @property
    def earlier(self) -> tuple[Task, ...]:
        """The tasks that this stage may forget."""
        return tuple(task for task in self.seen if task.name != self.new.name)

    @property
    def title(self) -> str:
        """For the log."""
        if self.name == JOINT:
            return f"joint training of {', '.join(task.name for task in self.seen)}"
        return f"stage {self.name}: {self.new.name} ({self.new.name_zh})"


def plan_stage(config: DictConfig, registry: TaskRegistry, command: str) -> StagePlan:
    """Read the stage's plan.

    Args:
        config: the composed configuration.
        registry: all tasks.
        command: how to call the training, without `task=…`; for messages.

    Raises:
        TrainingError: a share, strategy or mode is wrong, or an earlier stage is missing.
    """
    new = registry.named(config.task.name)
    strategy = make_strategy(
        config.replay.strategy, **{k: v for k, v in config.replay.items() if k != "strategy"}
    )
    if config.mode == JOINT:
        return _joint(config, tuple(registry.values()), strategy)
    seen = tuple(task for task in registry.values() if task.id <= new.id)
    number = len(seen)
    settings = config.sequential.get(f"stage{number}") or config.sequential.later_stage
    limits = config.sequential.limits
    earlier_limit = limits.get(f"stage{number}", limits.later)
    warn = config.sequential.warn_above.get(f"stage{number}", earlier_limit)
    return StagePlan(
        name=str(number),
        new=new,
        seen=seen,
        shares=_shares(config, seen, number, strategy),
        strategy=strategy,
        parent=_parent(config, seen, command),
        folder=Path(config.output_root) / new.folder,
        epochs=int(settings.epochs),
        learning_rate=float(settings.learning_rate),
        limits={t.name: limits.new_task if t is new else earlier_limit for t in seen},
        warnings={t.name: warn for t in seen if t is not new},
        has_knobs=f"stage{number}_replay" in config.sequential,
    )


def _joint(config: DictConfig, tasks: tuple[Task, ...], strategy: ReplayStrategy) -> StagePlan:
    settings = config.sequential.joint
    return StagePlan(
        name=JOINT,
        new=tasks[-1],
        seen=tasks,
        shares={task.name: Fraction(1, len(tasks)) for task in tasks},
        strategy=strategy,
        parent=None,
        folder=Path(config.output_root) / JOINT,
        epochs=int(settings.epochs),
        learning_rate=float(settings.learning_rate),
        limits={task.name: config.sequential.limits.new_task for task in tasks},
        warnings={},
    )


def _shares(
    config: DictConfig, seen: tuple[Task, ...], number: int, strategy: ReplayStrategy
) -> dict[str, Fraction]:
    where = f"sequential.stage{number}_replay"
    new = seen[-1]
    if number == 1:
        wanted = {new.name: 1.0}
    elif (given := config.sequential.get(f"stage{number}_replay")) is not None:
        by_key = {f"task{task.id}": task.name for task in seen}
        unknown = [key for key in given if key not in by_key]
        if unknown:
            raise TrainingError(f"{where}.{unknown[0]}: choose from {', '.join(by_key)}")
        wanted = {by_key[key]: float(share) for key, share in given.items()}
    else:
        part = float(config.sequential.later_stage.replay)
        wanted = {task.name: part / (number - 1) for task in seen[:-1]}
        wanted[new.name] = 1 - part
    if not wanted.get(new.name):
        raise TrainingError(f"{where} gives the new task {new.name} no share")
    return check_shares(strategy.shares(wanted, new.name), where)


def _parent(config: DictConfig, seen: tuple[Task, ...], command: str) -> Path | None:
    if config.sequential.parent:
        return Path(config.sequential.parent)
    if len(seen) == 1:
        return None
    before = seen[-2]
    folder = Path(config.output_root) / before.folder
    stage = f"stage {len(seen)} ({seen[-1].name}) starts from the model of task {before.id}"
    run = f"run first\n  {command} task=tasks/{before.folder}"
    if not (folder / "best").is_dir():
        raise TrainingError(f"{stage} ({before.name}), which is not at {folder / 'best'}: {run}")
    if (folder / "resume").is_dir() and not (folder / RESULTS).is_file():
        raise TrainingError(
            f"{stage} ({before.name}), whose training did not end: {run} resume=true\n"
            f"(or take it as it is: sequential.parent={folder / 'best'})"
        )
    return folder / "best"


def data_root(config: DictConfig, task: Task) -> Path:
    """Where a task's dataset lies: `data.roots`, `task.data_root`, `data.root`, the task file."""
    given = config.data.roots.get(f"task{task.id}")
    if given:
        return Path(given)
    if task.name == config.task.name and config.task.data_root != task.data_root:
        return Path(config.task.data_root)
    if config.data.root:
        root = str(config.data.root)
        if "{" not in root:
            return Path(root) / task.name
        try:
            return Path(root.format(id=task.id, name=task.name, folder=task.folder))
        except (KeyError, IndexError, ValueError) as error:
            raise TrainingError(
                f"data.root {config.data.root!r} has an unknown field {error}: use {{id}}, "
                "{name} or {folder}"
            ) from None
    return Path(task.data_root)


def resolved(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain values."""
    content = OmegaConf.to_container(config, resolve=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}
