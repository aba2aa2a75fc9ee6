"""The trial plan: written first, locked by a hash, and refused when it was changed after.

A block holds one start position of one task with every checkpoint once, in random order, so that
whatever changes during the day (light, battery, operator) meets all checkpoints alike; the blocks'
order is random too. Everything follows from the seed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kuavo_cli.errors import UserError
from kuavo_eval.trials.names import trial_name
from kuavo_train.data.workspace import write_atomically

FORMAT = "kuavo-trial-plan/1"
KEY_SUFFIX = ".key.yaml"


@dataclass(frozen=True)
class PlannedTrial:
    """trial: the same for all checkpoints, see `trial_name`. start: which position.

    scene: number of the start and its repeat, from the plan's seed on; a simulation's seed.
    """

    trial: str
    block: int
    task: str
    start: str
    scene: int
    checkpoint: str


@dataclass(frozen=True)
class PlannedCheckpoint:
    """path: of its folder. weights_sha256: at the time of planning. name: as the planner said."""

    path: str
    weights_sha256: str
    name: str = ""


@dataclass(frozen=True)
class Plan:
    """What will be done, in this order.

    rubrics: stages of each task. time_limits: of each task's trials [s].
    checkpoints: by label; a blinded plan's are in its key, and `key_sha256` names that.
    """

    name: str
    seed: int
    rubrics: dict[str, tuple[str, ...]]
    time_limits: dict[str, float]
    checkpoints: dict[str, PlannedCheckpoint]
    trials: tuple[PlannedTrial, ...]
    key_sha256: str = ""

    @property
    def blinded(self) -> bool:
        """Are checkpoints called by letters?"""
        return bool(self.key_sha256)

    @property
    def labels(self) -> list[str]:
        """Of the checkpoints."""
        return sorted({trial.checkpoint for trial in self.trials})

    def content(self) -> dict[str, Any]:
        """What is locked."""
        content = json.loads(json.dumps({"format": FORMAT, **asdict(self)}))
        if self.blinded:
            content["checkpoints"] = {}
        return dict(content)

    @property
    def sha256(self) -> str:
        """The lock."""
        return _digest(self.content())


def make_plan(
    name: str,
    checkpoints: Mapping[str, PlannedCheckpoint],
    starts: Sequence[str],
    rubrics: Mapping[str, Sequence[str]],
    time_limits: Mapping[str, float],
    repeats: int,
    seed: int,
    blind: bool = False,
) -> Plan:
    """Draw the order.

    Args:
        name: of the plan.
        checkpoints: by label.
        starts: names of the start positions.
        rubrics: the tasks, with their stages.
        time_limits: of each task's trials [s].
        repeats: of every task × start × checkpoint.
        seed: of the order, of the letters and, on a simulation, of the first start's scene.
        blind: call the checkpoints A, B, … in random order.

    Raises:
        UserError: nothing to do, or the same start twice.
    """
    if not checkpoints or not starts or not rubrics or repeats < 1:
        raise UserError("a plan needs a checkpoint, a task, a start position and a repeat at least")
    if len(set(starts)) < len(starts):
        raise UserError(f"a start position is named twice: {', '.join(starts)}")
    rng = np.random.default_rng(seed)
    labels = dict(zip(checkpoints, checkpoints, strict=True))
    if blind:
        letters = [chr(ord("A") + int(i)) for i in rng.permutation(len(checkpoints))]
        labels = dict(zip(checkpoints, letters, strict=True))
    known = {
        labels[label]: replace(checkpoint, name=label) for label, checkpoint in checkpoints.items()
    }
    blocks = [
        (repeat, task, number, start)
        for repeat in range(repeats)
        for task in rubrics
        for number, start in enumerate(starts)
    ]
    trials = []
    for block, place in enumerate(rng.permutation(len(blocks)), start=1):
        repeat, task, number, start = blocks[place]
        scene = seed + repeat * len(starts) + number
        for i in rng.permutation(len(known)):
            trials.append(
                PlannedTrial(
                    trial_name(task, scene), block, task, start, scene, checkpoint=sorted(known)[i]
                )
            )
    return Plan(
        name, seed, {task: tuple(stages) for task, stages in rubrics.items()},
        {task: float(time_limits[task]) for task in rubrics}, known, tuple(trials),
        _digest(_key_content(known)) if blind else "",
    )  # fmt: skip


def write_plan(plan: Plan, file: Path) -> None:
    """Write the plan, and beside it the key of a blinded one.

    Raises:
        UserError: there is something already.
    """
    key = key_of(file)
    for path in (file, key) if plan.blinded else (file,):
        if path.exists():
            raise UserError(f"{path} exists: a plan is not overwritten, choose another --name")
    file.parent.mkdir(parents=True, exist_ok=True)
    if plan.blinded:
        write_atomically(key, _dumped(_key_content(plan.checkpoints)))
    write_atomically(file, _dumped({**plan.content(), "lock": plan.sha256}))


def read_plan(file: Path) -> Plan:
    """The plan, with a blinded one's key.

    Raises:
        UserError: not a plan, changed after it was locked, or its key is missing or another one.
    """
    content = _loaded(file)
    lock = content.pop("lock", None)
    if content.get("format") != FORMAT:
        raise UserError(f"{file} is no trial plan: format {content.get('format')!r}, not {FORMAT}")
    if _digest(content) != lock:
        raise UserError(
            f"{file} was changed after it was locked, so its trials would not be those that were "
            "planned: restore it, or write a new plan under another name"
        )
    try:
        plan = _from_content(content)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file} is damaged: {error!r}") from error
    return _with_key(plan, key_of(file)) if plan.blinded else plan


def key_of(file: Path) -> Path:
    """Where a blinded plan's key lies."""
    return file.with_name(file.name.removesuffix(".yaml") + KEY_SUFFIX)


def _from_content(content: Mapping[str, Any]) -> Plan:
    return Plan(
        name=content["name"],
        seed=content["seed"],
        rubrics={task: tuple(stages) for task, stages in content["rubrics"].items()},
        time_limits=dict(content["time_limits"]),
        checkpoints={k: PlannedCheckpoint(**v) for k, v in content["checkpoints"].items()},
        trials=tuple(PlannedTrial(**trial) for trial in content["trials"]),
        key_sha256=content["key_sha256"],
    )


def _with_key(plan: Plan, key: Path) -> Plan:
    content = _loaded(key)
    if _digest(content) != plan.key_sha256:
        raise UserError(f"{key} is not the key of this plan, or it was changed")
    known = {k: PlannedCheckpoint(**v) for k, v in content["checkpoints"].items()}
    return Plan(**{**vars(plan), "checkpoints": known})


def _key_content(checkpoints: Mapping[str, PlannedCheckpoint]) -> dict[str, Any]:
    return {"checkpoints": {label: asdict(one) for label, one in checkpoints.items()}}


def _loaded(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file} does not exist") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{file} cannot be read as a plan: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} is no trial plan")
    return content


def _dumped(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=100)


def _digest(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
