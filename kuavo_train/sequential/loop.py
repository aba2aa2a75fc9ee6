"""The training loop of one stage: steps, validation, checkpoints. One or several processes.

The loss of a step is the sum of squared errors over the *global* batch divided by the number of
counted elements of the global batch: cutting it into micro-batches or processes changes nothing.
Unless processes are told to go their own ways for some steps (`averaging`): then each one's batch
is its own.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from kuavo_deploy.robot.layout import ARM_INDICES, STATE_DIM
from kuavo_deploy.robot.topics import ACTION_FEATURE, STATE_FEATURE
from kuavo_train.episodes.samples import IS_PAD, Draw, Samples
from kuavo_train.errors import TrainingError
from kuavo_train.optimizer.make import set_rate
from kuavo_train.policy.action_space import UNIFIED_DIM
from kuavo_train.policy.flow_loss import counted_elements, draw
from kuavo_train.policy.preprocessing import stacked
from kuavo_train.policy.seeds import mixed_seed
from kuavo_train.replay.mixture import LocalBatches, Mixture
from kuavo_train.sequential.averaging import Averaging
from kuavo_train.sequential.console import Monitor
from kuavo_train.sequential.pace import Pace
from kuavo_train.sequential.resume import Progress
from kuavo_train.sequential.schedule import Schedule

_STATE_NOISE = 2
"""Tells these draws from others of the same seed and step."""
_ALL_DIMS = torch.ones(UNIFIED_DIM, dtype=torch.bool)


@dataclass(frozen=True)
class LoopSettings:
    """seed: of noise and times. batch: per process and micro-batch.

    state_noise: deviation of what is added to the arms' joints in each sample's state [rad].
    average_steps: see `Averaging`.
    """

    seed: int
    batch: int
    accumulation: int
    workers: int
    max_gradient_norm: float
    log_steps: int
    save_steps: int
    steps_per_epoch: int
    state_noise: float = 0.0
    average_steps: int | None = None


class TrainingLoop:
    """Runs optimizer steps; what happens at an epoch's end or a save is given as functions."""

    def __init__(
        self,
        accelerator: Accelerator,
        model: Any,
        optimizer: torch.optim.Optimizer,
        preprocess: Callable[[dict[str, Any]], dict[str, Any]],
        samples: Samples,
        mixture: Mixture,
        schedule: Schedule,
        settings: LoopSettings,
        describe: Callable[[Draw], str] = str,
    ) -> None:
        self._describe = describe
        self._accelerator = accelerator
        self._averaging = Averaging(accelerator, optimizer, settings.average_steps)
        self._model = model
        self._optimizer = optimizer
        self._preprocess = preprocess
        self._samples = samples
        self._mixture = mixture
        self._schedule = schedule
        self._settings = settings
        self.pace = Pace()
        self.gradient_norm = math.nan
        """Of the last step, before clipping."""

    def run(
        self,
        progress: Progress,
        monitor: Monitor,
        save: Callable[[], None],
        epoch_end: Callable[[int], bool],
    ) -> None:
        """Train from `progress.step` to the end of the stage.

        Args:
            progress: counted on here.
            monitor: curves and progress bar.
            save: stores a point to resume from.
            epoch_end: called with the epochs done; true ends the stage.
        """
        settings = self._settings
        began = time.monotonic() - progress.seconds
        to_save = False
        for step, (loss, rate) in enumerate(self.steps(progress.step), progress.step):
            progress.step, progress.seconds = step + 1, time.monotonic() - began
            monitor.step(loss, rate)
            if step % settings.log_steps == 0 or step + 1 == len(self._mixture):
                monitor.point(step, loss, rate, self.pace.waiting_share)
                monitor.scalar("train/gradient_norm", self.gradient_norm, step)
            epoch, rest = divmod(step + 1, settings.steps_per_epoch)
            to_save |= rest == 0 or (step + 1) % settings.save_steps == 0
            together = rest == 0 or self._averaging.due(step + 1)
            if together:
                self._averaging.meet()
            stop = rest == 0 and epoch_end(epoch)
            if to_save and together:
                save()
                to_save = False
            if stop:
                break

    def steps(self, first: int) -> Iterator[tuple[float, float]]:
        """Optimizer steps from `first` to the stage's last; each gives its loss and rate."""
        local, batches = self._loader(first)
        for step in range(first, len(self._mixture)):
            with self.pace.step():
                done = self._step(step, local, batches)
            yield done

    def _loader(self, first: int) -> tuple[LocalBatches, Iterator[dict[str, Any]]]:
        accelerator, settings = self._accelerator, self._settings
        local = LocalBatches(
            self._mixture,
            settings.batch,
            settings.accumulation,
            accelerator.process_index,
            accelerator.num_processes,
            first,
        )
        loader = DataLoader(
            self._samples,
            batch_sampler=local,
            num_workers=settings.workers,
            collate_fn=stacked,
            pin_memory=accelerator.device.type == "cuda",
            persistent_workers=False,
        )
        return local, iter(loader)

    def _step(
        self, step: int, local: LocalBatches, batches: Iterator[dict[str, Any]]
    ) -> tuple[float, float]:
        """One optimizer step. Returns the batch's loss and the learning rate."""
        accelerator, settings = self._accelerator, self._settings
        rate = self._schedule.at(step)
        set_rate(self._optimizer, rate)
        with self.pace.waiting():
            micro = [next(batches) for _ in range(settings.accumulation)]
        counted = [counted_elements(raw[IS_PAD], _ALL_DIMS) for raw in micro]
        apart = self._averaging.apart
        sharing = 1 if apart else accelerator.num_processes
        total = self._sum(sum(c.sum() for c in counted))
        # Anything in the model that draws (dropout, if a base has it) also follows the step.
        torch.manual_seed(mixed_seed(settings.seed, step, accelerator.process_index))
        self._model.train()
        self._optimizer.zero_grad(set_to_none=True)
        errors = torch.zeros((), dtype=torch.float64, device=accelerator.device)
        for index, raw in enumerate(micro):
            last = index == len(micro) - 1
            with _exchange_after(accelerator, self._model, last and not apart):
                squared = self._forward(step, local.rows(index), raw, counted[index])
                accelerator.backward(squared.sum() * (sharing / total))
            errors += squared.detach().double().sum()
        loss = self._sum(errors) / total
        norm = float(accelerator.clip_grad_norm_(self._trained(), settings.max_gradient_norm))
        self.gradient_norm = norm
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(self._not_finite(step, loss, norm))
        self._optimizer.step()
        return loss, rate

    def _forward(self, step: int, rows: slice, raw: dict[str, Any], counted: Tensor) -> Tensor:
        """Squared error of each sample of a micro-batch. Shape (B,)."""
        config = self._accelerator.unwrap_model(self._model).policy.config
        size = self._settings.batch * self._settings.accumulation * self._accelerator.num_processes
        if self._settings.state_noise:
            raw = {**raw, STATE_FEATURE: raw[STATE_FEATURE] + self._state_noise(step, size)[rows]}
        batch = self._preprocess(raw)
        device = batch[ACTION_FEATURE].device
        draws = draw(size, config.chunk_size, config.max_action_dim, self._settings.seed, step)
        squared: Tensor = self._model(batch, draws.rows(rows).to(device), counted.to(device))
        return squared

    def _state_noise(self, step: int, size: int) -> Tensor:
        """Of the global batch. Shape (size, 16) [rad]."""
        settings = self._settings
        generator = torch.Generator().manual_seed(mixed_seed(settings.seed, step, _STATE_NOISE))
        noise = torch.zeros(size, STATE_DIM)
        arms = torch.randn(size, len(ARM_INDICES), generator=generator)
        noise[:, list(ARM_INDICES)] = settings.state_noise * arms
        return noise

    def _not_finite(self, step: int, loss: float, norm: float) -> str:
        """The message names the whole global batch, whichever process found it."""
        draws = self._mixture.batch(step)
        largest = max(draws, key=lambda d: float(np.abs(self._samples.actions(d)).max()))
        return (
            f"the loss is not finite at step {step} (loss {loss}, gradient norm {norm}). Training "
            "stopped before the weights were touched; the last checkpoint is good. The batch: "
            f"{'; '.join(self._describe(d) for d in draws)}. Largest action "
            f"{np.abs(self._samples.actions(largest)).max():g} in {self._describe(largest)}. If "
            "the data is right, lower the stage's learning_rate"
        )

    def _trained(self) -> list[Tensor]:
        return [p for group in self._optimizer.param_groups for p in group["params"]]

    def _sum(self, value: Any) -> float:
        """Sum over all processes that share this step."""
        if self._averaging.apart:
            return float(value)
        tensor = torch.as_tensor(value, dtype=torch.float64, device=self._accelerator.device)
        return float(self._accelerator.reduce(tensor, reduction="sum"))


def _exchange_after(accelerator: Accelerator, model: Any, exchange: bool) -> Any:
    """Gradients are exchanged between processes only where the last micro-batch says so."""
    if exchange:
        return contextlib.nullcontext()
    return accelerator.no_sync(model)
