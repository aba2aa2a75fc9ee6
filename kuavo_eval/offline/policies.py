"""The seam between the evaluation and a policy, and the trained SmolVLA behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from kuavo_cli.errors import UserError
from kuavo_deploy.robot.topics import ACTION_FEATURE, STATE_FEATURE
from kuavo_eval.offline.episodes import Images
from kuavo_eval.offline.frames import FrameBatch
from kuavo_train.checkpoint.processors import tokenizer_of
from kuavo_train.checkpoint.reader import Checkpoint, load, open_checkpoint
from kuavo_train.engine.engine import Engine
from kuavo_train.engine.samplers import INT8, TOKEN_MASK, TOKENS
from kuavo_train.errors import TrainingError
from kuavo_train.policy.action_space import UNIFIED_DIM, recorded_dims, to_unified
from kuavo_train.policy.flow_loss import Draws, FlowLoss, counted_elements, draw
from kuavo_train.policy.preprocessing import TASK, check_instruction_length, stacked


class OfflinePolicy(Protocol):
    """What an evaluation needs of a policy. One label names one policy."""

    label: str
    chunk_size: int
    """Steps of a chunk, one per frame of the recordings."""
    instructions: dict[str, str]
    """What it was trained with, by task name; other tasks are told their own instruction."""
    trained: set[str]
    """Content hashes of all episodes that it was trained on."""

    def predict(self, batch: FrameBatch, texts: Sequence[str], sample: int) -> np.ndarray:
        """Chunks in robot units, shape (N, T, 20).

        Args:
            batch: N frames.
            texts: each one's instruction; '' is none.
            sample: which draw of noise; the same frame and sample get the same noise.
        """

    def losses(
        self, batch: FrameBatch, texts: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Flow loss: each frame's sum and number of elements, shape (N,); None: it has none."""


class CheckpointPolicy:
    """A checkpoint folder.

    Args:
        checkpoint: opened and verified.
        label: its name in the report.
        device: `auto` (the GPU where there is one), `cpu`, `cuda`, ….
        dtype: float32, bfloat16, or int8 (on a CPU).
    """

    def __init__(
        self, checkpoint: Checkpoint, label: str, device: str = "auto", dtype: str = "float32"
    ) -> None:
        self.label = label
        self.path = checkpoint.path
        self.manifest = checkpoint.manifest
        tasks = checkpoint.manifest.lineage.tasks
        self.instructions = {task.name: task.instruction for task in tasks}
        self.trained = {key for task in tasks for key in task.trained.values()}
        self.held_out = {key for task in tasks for key in task.held_out.values()}
        chosen = None if device == "auto" else device
        self._loaded = load(checkpoint, chosen, "float32" if dtype == INT8 else dtype)
        self._policy = self._loaded.policy.eval()
        self._engine = Engine(self._policy, dtype)
        self._seen: tuple[tuple[Images, ...], list[str]] | None = None
        self._loss = FlowLoss(self._policy).eval()
        config = self._policy.config
        self.chunk_size = int(config.chunk_size)
        self._width = int(config.max_action_dim)
        self._cameras = tuple(config.image_features)
        width, height = config.resize_imgs_with_padding
        self._size = (int(width), int(height))
        self._tokenizer = tokenizer_of(self._loaded.preprocessor)
        self._device = torch.device(config.device)

    @torch.no_grad()
    def predict(self, batch: FrameBatch, texts: Sequence[str], sample: int) -> np.ndarray:
        """See `OfflinePolicy`; by the engine that drives the robot.

        The same images and texts as in the call before are not looked at again: another draw of
        noise or another joint state costs only the denoising.
        """
        prepared = self._prepared(batch, texts)
        if self._seen is None or self._seen[0] is not batch.images or self._seen[1] != list(texts):
            pixels = torch.stack([prepared[camera] for camera in self._cameras], dim=1)
            self._engine.see(pixels, prepared[TOKENS], prepared[TOKEN_MASK])
            self._seen = (batch.images, list(texts))
        chunk = self._engine.act(prepared[STATE_FEATURE], self._noise(batch, sample))
        actions = self._loaded.postprocessor(
            chunk[..., :UNIFIED_DIM].to(torch.float32), torch.from_numpy(batch.states)
        )
        return actions.cpu().double().numpy()

    @torch.no_grad()
    def losses(self, batch: FrameBatch, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """See `OfflinePolicy`; the training's own validation loss, frame by frame."""
        recorded, valid = batch.recorded(self.chunk_size)
        target = torch.from_numpy(to_unified(np.asarray(recorded, np.float32)))
        counted = counted_elements(torch.from_numpy(~valid), recorded_dims(batch.task.action_dim))
        prepared = self._prepared(batch, texts, target)
        each = [
            draw(1, self.chunk_size, self._width, batch.seed, batch.task.id, int(place))
            for place in batch.places
        ]
        draws = Draws(torch.cat([d.noise for d in each]), torch.cat([d.time for d in each]))
        sums = self._loss(prepared, draws.to(self._device), counted.to(self._device))
        return sums.double().cpu().numpy(), counted.sum(dim=(1, 2)).double().numpy()

    def _prepared(
        self, batch: FrameBatch, texts: Sequence[str], target: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The one preprocessing of training, evaluation and the robot."""
        samples = batch.observations(self._cameras, self._size)
        for n, (sample, text) in enumerate(zip(samples, texts, strict=True)):
            check_instruction_length(
                self._tokenizer, text, self._policy.config.tokenizer_max_length
            )
            sample[TASK] = text
            if target is not None:
                sample[ACTION_FEATURE] = target[n]
        prepared: dict[str, Tensor] = self._loaded.preprocessor(stacked(samples))
        if target is None:
            prepared.pop(ACTION_FEATURE, None)
        return prepared

    def _noise(self, batch: FrameBatch, sample: int) -> Tensor:
        return torch.cat(
            [
                draw(
                    1,
                    self.chunk_size,
                    self._width,
                    batch.seed,
                    batch.task.id,
                    int(episode.key[:15], 16),
                    int(frame),
                    sample,
                ).noise
                for episode, frame in zip(batch.episodes, batch.frames, strict=True)
            ]
        )


def open_policies(
    checkpoints: Sequence[Path | str], device: str, dtype: str
) -> list[CheckpointPolicy]:
    """Load checkpoints; each `DIR` or `NAME=DIR`.

    Raises:
        UserError: missing, damaged, of another robot, or no such device.
    """
    named = [_named(str(text)) for text in checkpoints]
    labels = unique_labels([name or label_of(path) for name, path in named])
    try:
        return [
            CheckpointPolicy(open_checkpoint(path), label, device, dtype)
            for label, (_, path) in zip(labels, named, strict=True)
        ]
    except (TrainingError, RuntimeError) as error:
        raise UserError(str(error)) from error


def label_of(path: Path) -> str:
    """A checkpoint's name in reports: the last two folders, e.g. task4_sorting/best."""
    return "/".join(Path(path).absolute().parts[-2:])


def unique_labels(labels: Sequence[str]) -> list[str]:
    """The same without dots (they divide paths in scores.json), numbered where two are equal."""
    found: list[str] = []
    for label in (label.replace(".", "_") for label in labels):
        name, number = label, 2
        while name in found:
            name, number = f"{label} ({number})", number + 1
        found.append(name)
    return found


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    return (name, Path(path)) if equals else ("", Path(text))
