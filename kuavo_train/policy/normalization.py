"""Normalization statistics: one set for the whole chain of stages, never replaced.

Chosen is **mean and standard deviation**, not quantiles or minimum and maximum:

* flow matching starts from N(0, 1) noise, so targets of unit variance put signal and noise on one
  scale; SmolVLA was pretrained that way and stock lerobot reads it;
* a later task that leaves an earlier task's range must not be clipped or squeezed; an affine map
  has no edge, and its two numbers are robust where a minimum is set by one bad frame.

Two guards come with it. Every task weighs the same, however many frames it has, so that a long
task doesn't set the scale of all. And a deviation has a floor (arms 0.1 rad, hands and move 0.25,
base 0.25 m or rad): a joint that no demonstration moves would otherwise turn the policy's
smallest error into noise of full scale, and a later task that does move it would be far out.

The set is computed before stage 1 over the training episodes of *all* tasks of the curriculum,
or fixed by the robot's limits where later tasks are not recorded yet. It is hashed, travels in
every checkpoint, and a stage refuses a parent whose hash differs. The standing tasks' completed
base dimensions count like recorded ones: they are targets too, and must not lie twenty deviations
out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kuavo_deploy.robot.layout import ARM_INDICES, HAND_INDICES, MOVE
from kuavo_deploy.robot.topics import ACTION_FEATURE, STATE_FEATURE
from kuavo_deploy.robot.version import RobotLimits
from kuavo_train.errors import CheckpointError, DataError
from kuavo_train.policy.action_space import STATE_DIM, UNIFIED_DIM
from kuavo_train.policy.relative import growth_of, to_relative

FILE = "normalization.json"
ARM_FLOOR, HAND_FLOOR, BASE_FLOOR = 0.1, 0.25, 0.25
_DIMS = {STATE_FEATURE: STATE_DIM, ACTION_FEATURE: UNIFIED_DIM}


@dataclass(frozen=True)
class TaskVectors:
    """What one task contributes: its training frames.

    states: (N, 16). actions: completed; (M, 20), or relative chunks with a growth of 1, (N, T, 20).
    """

    states: np.ndarray
    actions: np.ndarray


def relative_vectors(states: np.ndarray, chunks: np.ndarray) -> TaskVectors:
    """States (N, 16) and the chunks planned at them, (N, T, 20), for relative actions."""
    relative = to_relative(torch.from_numpy(chunks), torch.from_numpy(states))
    return TaskVectors(states, relative.numpy())


@dataclass(frozen=True)
class Statistics:
    """Mean and deviation per feature, float32, and where they come from.

    values: {"observation.state": {"mean": (16,), "std": (16,)}, "action": {… (20,)}}.
    source: one sentence. relative: the arms' actions are measured from the joint state that a chunk
    is planned at (see `kuavo_train.policy.relative`). growth: of their steps, shape (T,); None: 1.
    """

    values: Mapping[str, Mapping[str, np.ndarray]]
    source: str
    relative: bool = False
    growth: np.ndarray | None = None

    @property
    def hash(self) -> str:
        """SHA-256 over names, shapes and exact bytes of the numbers, and what they measure."""
        digest = hashlib.sha256(b"relative" if self.relative else b"")
        for feature in sorted(self.values):
            for name in sorted(self.values[feature]):
                array = np.ascontiguousarray(self.values[feature][name], dtype="<f4")
                digest.update(f"{feature}.{name}{array.shape}".encode())
                digest.update(array.tobytes())
        if self.growth is not None:
            digest.update(b"growth" + np.ascontiguousarray(self.growth, dtype="<f4").tobytes())
        return digest.hexdigest()

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """As lerobot's processors take them."""
        return {
            feature: {name: torch.from_numpy(np.array(array)) for name, array in stats.items()}
            for feature, stats in self.values.items()
        }

    def to_json(self) -> str:
        """A readable form that reads back bit by bit (a float32 survives as a decimal)."""
        values = {
            feature: {name: [float(x) for x in array] for name, array in stats.items()}
            for feature, stats in self.values.items()
        }
        content = {
            "hash": self.hash,
            "source": self.source,
            "relative": self.relative,
            **({} if self.growth is None else {"growth": [float(x) for x in self.growth]}),
            "values": values,
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, file: Path) -> Statistics:
        """Read what `to_json` wrote.

        Raises:
            CheckpointError: missing, unreadable, of another robot's dimensions, or altered.
        """
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            values = {
                feature: {
                    name: np.asarray(content["values"][feature][name], np.float32)
                    for name in ("mean", "std")
                }
                for feature in _DIMS
            }
            growth = np.asarray(content["growth"], np.float32) if "growth" in content else None
        except FileNotFoundError:
            raise CheckpointError(f"normalization statistics missing: no {file}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{file} holds no normalization statistics: {error!r}") from error
        statistics = cls(
            values, content.get("source", ""), content.get("relative", False) is True, growth
        )
        check(statistics, str(file))
        if statistics.hash != content.get("hash"):
            raise CheckpointError(f"{file} was altered: its numbers don't match its hash")
        return statistics


def check(statistics: Statistics, where: str) -> None:
    """Raise CheckpointError unless every number is there, finite, and a deviation positive."""
    for feature, dim in _DIMS.items():
        for name in ("mean", "std"):
            array = statistics.values.get(feature, {}).get(name)
            if array is None:
                raise CheckpointError(f"{where}: no {name} of {feature}")
            if array.shape != (dim,):
                raise CheckpointError(
                    f"{where}: {name} of {feature} has {array.size} numbers, this robot has {dim}"
                )
            if not np.isfinite(array).all() or (name == "std" and not (array > 0).all()):
                raise CheckpointError(f"{where}: {name} of {feature} is not usable: {array}")
    growth = statistics.growth
    if growth is not None and (growth.ndim != 1 or not ((growth > 0) & (growth < np.inf)).all()):
        raise CheckpointError(f"{where}: the growth of relative actions is not usable: {growth}")


def from_data(vectors: Mapping[str, TaskVectors], relative: bool = False) -> Statistics:
    """Pool the tasks' training frames, each task with the same weight.

    Args:
        vectors: by task name, training episodes only.
        relative: what their actions are.
    """
    if not vectors:
        raise DataError("no task to compute normalization statistics from")
    state = _pooled([v.states for v in vectors.values()], STATE_DIM)
    actions = [v.actions for v in vectors.values()]
    growth = growth_of(actions) if relative else None
    if growth is not None:
        actions = [_grown(chunks, growth) for chunks in actions]
    return Statistics(
        {STATE_FEATURE: state, ACTION_FEATURE: _pooled(actions, UNIFIED_DIM)},
        f"training episodes of {', '.join(vectors)}, each task weighing the same",
        relative,
        growth,
    )


def from_limits(limits: RobotLimits, workspace: float) -> Statistics:
    """Statistics that need no data: a uniform distribution over the robot's limits.

    Args:
        limits: of the configured robot version.
        workspace: the base stays within ± this [m].
    """
    lower = np.zeros(UNIFIED_DIM)
    upper = np.ones(UNIFIED_DIM)
    lower[list(ARM_INDICES)], upper[list(ARM_INDICES)] = limits.lower, limits.upper
    lower[16:18], upper[16:18] = -workspace, workspace
    lower[18], upper[18] = -np.pi, np.pi
    mean, std = (lower + upper) / 2, (upper - lower) / np.sqrt(12)
    values = {
        feature: {"mean": mean[:dim].astype(np.float32), "std": std[:dim].astype(np.float32)}
        for feature, dim in _DIMS.items()
    }
    return Statistics(values, "the robot's joint limits (uniform), no data")


def _grown(chunks: np.ndarray, growth: np.ndarray) -> np.ndarray:
    """Relative chunks (N, T, 20) with a growth of 1 → the vectors (N·T, 20) with this one."""
    origin = torch.zeros(len(chunks), STATE_DIM)
    return to_relative(torch.from_numpy(chunks), origin, growth).flatten(0, 1).numpy()


def _pooled(arrays: Iterable[np.ndarray], dim: int) -> dict[str, np.ndarray]:
    """Mean and deviation of the mixture that gives every array the same weight."""
    wide = [array.astype(np.float64) for array in arrays]
    mean = np.mean([array.mean(axis=0) for array in wide], axis=0)
    second = np.mean([(array**2).mean(axis=0) for array in wide], axis=0)
    std = np.sqrt(np.maximum(second - mean**2, 0.0))
    return {
        "mean": mean.astype(np.float32),
        "std": np.maximum(std, _floor()[:dim]).astype(np.float32),
    }


def _floor() -> np.ndarray:
    """The least deviation of each of the 20 numbers."""
    floor = np.full(UNIFIED_DIM, BASE_FLOOR)
    floor[list(ARM_INDICES)] = ARM_FLOOR
    floor[[*HAND_INDICES, MOVE]] = HAND_FLOOR
    return floor
