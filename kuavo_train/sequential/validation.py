"""Validation on held-out episodes, with fixed frames, noise and times.

Two epochs differ by their weights alone. Per task: the flow loss over the task's recorded
dimensions (16 or 20); for some frames also sampled actions against recorded ones in robot units.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from kuavo_deploy.robot.layout import ARM_INDICES, BASE_POSE, HAND_INDICES
from kuavo_deploy.robot.topics import ACTION_FEATURE, STATE_FEATURE
from kuavo_train.episodes.samples import IS_PAD, RECORDED, Draw, Samples
from kuavo_train.episodes.table import EpisodeTable
from kuavo_train.policy.action_space import UNIFIED_DIM
from kuavo_train.policy.flow_loss import Draws, FlowLoss, counted_elements, draw
from kuavo_train.policy.preprocessing import TASK, stacked

_KEYS = ("loss", "arms", "hands", "base")


@dataclass(frozen=True)
class TaskScore:
    """One task's validation.

    loss: flow loss over `dimensions` recorded numbers. arms [rad], hands [0…1], base [m, rad]:
    mean absolute error of sampled actions; None where nothing was sampled or recorded.
    """

    loss: float
    dimensions: int
    arms: float | None = None
    hands: float | None = None
    base: float | None = None


@dataclass(frozen=True)
class Validation:
    """All tasks seen, at one point of a stage."""

    epoch: int
    step: int
    tasks: dict[str, TaskScore] = field(default_factory=dict)

    def losses(self) -> dict[str, float]:
        """Loss per task name."""
        return {name: score.loss for name, score in self.tasks.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Validation:
        """What `to_dict` gave."""
        tasks = {name: TaskScore(**score) for name, score in content["tasks"].items()}
        return cls(content["epoch"], content["step"], tasks)


class Validator:
    """Scores a policy on the held-out episodes of several tasks.

    Args:
        tables, held_out: per task name.
        samples: how frames are read.
        settings: the `validation` group of the configuration.
        batch: frames per forward pass.
        workers: of the loader.
        rank, world: this process and how many share the work.
    """

    def __init__(
        self,
        tables: Mapping[str, EpisodeTable],
        held_out: Mapping[str, Sequence[int]],
        samples: Samples,
        settings: Any,
        batch: int,
        workers: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._tables = tables
        self.samples = samples
        self._settings = settings
        self._batch = batch
        self._workers = workers
        self._rank, self._world = rank, world
        self.rows = {
            name: evenly(tables[name].rows(episodes), int(settings.frames))
            for name, episodes in held_out.items()
        }

    def alone(self) -> Validator:
        """The same, with all the work in this process."""
        whole = copy.copy(self)
        whole._rank, whole._world = 0, 1
        return whole

    def sums(self, model: FlowLoss, preprocess: Any, postprocess: Any) -> dict[str, Tensor]:
        """This process's part: per task the sums and counts of loss, arms, hands, base: (4, 2)."""
        model.eval()
        with torch.no_grad():
            return {
                name: self._task_sums(name, model, preprocess, postprocess) for name in self.rows
            }

    def scores(self, sums: Mapping[str, Tensor], epoch: int, step: int) -> Validation:
        """Scores out of the sums of all processes."""
        tasks = {}
        for name, total in sums.items():
            means = {
                key: float(total[i, 0] / total[i, 1]) if total[i, 1] > 0 else None
                for i, key in enumerate(_KEYS)
            }
            loss = means.pop("loss")
            assert loss is not None
            tasks[name] = TaskScore(loss, self._tables[name].task.action_dim, **means)
        return Validation(epoch, step, tasks)

    def batches(self, name: str, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """This process's batches of a task's first `count` (evenly thinned) frames.

        Yields the place of the first frame, which fixes the noise, and the raw batch.
        """
        rows = evenly(self.rows[name], count)
        starts = list(range(0, len(rows), self._batch))[self._rank :: self._world]
        plan = [[Draw(name, int(r), 0) for r in rows[s : s + self._batch]] for s in starts]
        loader = DataLoader(
            self.samples, batch_sampler=plan, num_workers=self._workers, collate_fn=stacked
        )
        yield from zip(starts, loader, strict=True)

    def draws(self, model: FlowLoss, task_id: int, place: int, batch: int) -> Draws:
        """The fixed noise and times of `batch` frames from `place` on."""
        config = model.policy.config
        each = [
            draw(
                1, config.chunk_size, config.max_action_dim, self._settings.seed, task_id, place + i
            )
            for i in range(batch)
        ]
        return Draws(torch.cat([d.noise for d in each]), torch.cat([d.time for d in each]))

    def _task_sums(self, name: str, model: FlowLoss, preprocess: Any, postprocess: Any) -> Tensor:
        task = self._tables[name].task
        total = torch.zeros(len(_KEYS), 2, dtype=torch.float64)
        for place, raw in self.batches(name, len(self.rows[name])):
            counted = counted_elements(raw[IS_PAD], raw[RECORDED])
            batch = preprocess(raw)
            device = batch[ACTION_FEATURE].device
            draws = self.draws(model, task.id, place, len(raw[TASK])).to(device)
            errors = model(batch, draws, counted.to(device))
            total[0] += _pair(errors.double().sum(), counted.sum())
        for _, raw in self.batches(name, int(self._settings.sampled_frames)):
            chunk = _sampled(model, preprocess(raw))
            sampled = postprocess(chunk, raw[STATE_FEATURE])
            total[1:] += action_errors(sampled, raw[ACTION_FEATURE], raw[IS_PAD], task.action_dim)
        return total


def action_errors(sampled: Tensor, recorded: Tensor, is_pad: Tensor, action_dim: int) -> Tensor:
    """Sums and counts of absolute errors inside the episode, rows arms, hands, base: (3, 2)."""
    error = (sampled.cpu().double() - recorded.double()).abs()[~is_pad]
    rows = []
    for indices in (list(ARM_INDICES), list(HAND_INDICES), list(range(UNIFIED_DIM))[BASE_POSE]):
        part = error[:, [i for i in indices if i < action_dim]]
        rows.append(_pair(part.sum(), torch.tensor(part.numel())))
    return torch.stack(rows)


def _sampled(model: FlowLoss, batch: dict[str, Any]) -> Tensor:
    """Chunks from no noise, as the robot's are."""
    config, action = model.policy.config, batch[ACTION_FEATURE]
    noise = torch.zeros(len(action), config.chunk_size, config.max_action_dim)
    model.policy.reset()
    chunk: Tensor = model.policy.predict_action_chunk(dict(batch), noise=noise.to(action.device))
    return chunk


def evenly(rows: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the rows, evenly spread."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def _pair(value: Tensor, count: Tensor) -> Tensor:
    return torch.stack([value.double().cpu(), count.double().cpu()])
