"""Pretrain a base model from labelled frames; goes on where it stopped.

Leaves `OUT/`, a checkpoint to start stage 1 from, and `OUT.training/` with `resume/`, the curves
(`measured.jsonl`, `curves.png`) and the TensorBoard files.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file
from torch import Tensor

from kuavo_train.checkpoint.manifest import Lineage
from kuavo_train.checkpoint.processors import make_processors, tokenizer_of
from kuavo_train.checkpoint.reader import load, open_checkpoint
from kuavo_train.checkpoint.writer import TRAINING_CONFIG, VLM, write_checkpoint
from kuavo_train.errors import TrainingError
from kuavo_train.optimizer.make import make_optimizer, put_state, set_rate, state_of
from kuavo_train.policy.architecture import random_policy, read_architecture, write_vlm
from kuavo_train.policy.flow_loss import draw, mixed_seed
from kuavo_train.policy.freezing import FreezingRule, apply_freezing
from kuavo_train.policy.normalization import Statistics, from_data
from kuavo_train.pretraining.classes import CLASSES
from kuavo_train.pretraining.curves import draw_curves
from kuavo_train.pretraining.frames import Batch, Frames, split_shards
from kuavo_train.pretraining.heads import class_loss, class_shares, pointing_loss, vote_loss
from kuavo_train.pretraining.inputs import Inputs, brightened
from kuavo_train.pretraining.measure import Measured, measure
from kuavo_train.pretraining.model import PretrainingModel, Seen
from kuavo_train.pretraining.phrases import all_phrases
from kuavo_train.pretraining.settings import MAY_CHANGE, Settings
from kuavo_train.sequential.console import Monitor, log
from kuavo_train.sequential.schedule import Schedule
from kuavo_train.sequential.setting import package_versions
from kuavo_train.tasks import load_tasks
from kuavo_train.tasks.registry import configs_root

LOSS_VERSION = "pointing+classes+votes+flow/2"
BOTTLE_COLOURS = ("blue", "white", "pink", "green", "violet", "orange", "black", "light blue")
_DETAILS = {
    "parcel": ("box", "bag"),
    "bottle": ("front", *BOTTLE_COLOURS),
    "workpiece": ("aluminium", "brass", "red", "green", "copper"),
}
_HEADS, _OPTIMIZER, _STATE = "heads.safetensors", "optimizer.safetensors", "progress.json"


@dataclass
class Progress:
    """step: done. seconds: spent in steps. log: of the measurements."""

    step: int
    seconds: float
    measured: list[dict[str, Any]]


def pretrain(
    frames: Path, out: Path, settings: Settings, architectures: Path | None = None
) -> Measured:
    """Run, or go on, to `settings.steps` and write the base model `out`.

    Args:
        frames: folder of shards (`kuavo sim frames`).
        out: the base model; must not exist, except as this very run's result.
        settings: of the run.
        architectures: folder of sizes; this project's by default.

    Returns:
        The last measurement.

    Raises:
        TrainingError: no frames, other settings than the run began with, or a loss that is not
            finite.
    """
    work = out.with_name(out.name + ".training")
    if out.exists() and not work.is_dir():
        raise TrainingError(f"{out} exists already; choose another folder or remove it")
    run = PretrainingRun(frames, work, settings, architectures)
    measured = run.train()
    run.store(out, resumable=False)
    return measured


class PretrainingRun:
    """One run: model, optimizer, data, and how far it is."""

    def __init__(
        self, frames: Path, work: Path, settings: Settings, architectures: Path | None = None
    ) -> None:
        folder = architectures or configs_root() / "policy" / "architecture"
        self._sizes = read_architecture(folder, settings.architecture)
        self._work, self._settings = work, settings
        self._resume = work / "resume"
        training, held_out = split_shards(frames, settings.held_out)
        self._frames, self._held_out = (
            Frames(files, settings.stories) for files in (training, held_out)
        )
        self._scratch = tempfile.TemporaryDirectory(prefix="kuavo_pretrain_")
        stored = self._resume.is_dir()
        policy, self._statistics = self._stored_policy() if stored else self._new_policy()
        apply_freezing(policy, FreezingRule(vision_encoder=False, connector=False))
        preprocessor, _ = make_processors(policy.config, self._statistics)
        self._inputs = Inputs(tokenizer_of(preprocessor), self._statistics)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.model = PretrainingModel(policy, len(CLASSES))
        self._parameters = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        self._named = make_optimizer(
            "muon",
            self._parameters,
            settings.learning_rate,
            settings.betas,
            settings.weight_decay,
            settings.hidden_learning_rate,
        )
        self.progress = self._load_state() if stored else self._begin()
        self._schedule = Schedule(
            settings.learning_rate,
            settings.steps,
            settings.warmup_steps,
            settings.final_learning_rate,
        )

    def train(self) -> Measured:
        """To the end of the run."""
        settings, progress = self._settings, self.progress
        log.info(
            "%d frames to train on, %d held out; step %d of %d",
            len(self._frames), len(self._held_out), progress.step, settings.steps,
        )  # fmt: skip
        per_step = settings.frames * settings.queries
        with Monitor(
            self._work, "pretraining", settings.steps, progress.step, per_step, True
        ) as monitor:
            if not progress.measured:
                self._measure(monitor)
            while progress.step < settings.steps:
                began = time.monotonic()
                losses = self.step(progress.step)
                progress.step += 1
                progress.seconds += time.monotonic() - began
                monitor.step(losses["loss"], self._schedule.at(progress.step - 1))
                for name, value in losses.items():
                    monitor.scalar(f"train/{name}", value, progress.step)
                last = progress.step == settings.steps
                if last or progress.step % settings.validate_steps == 0:
                    self._measure(monitor)
                if last or progress.step % settings.save_steps == 0:
                    self.store(self._resume, resumable=True)
        return Measured(**progress.measured[-1])

    def step(self, step: int) -> dict[str, float]:
        """One optimizer step; a function of the weights, the settings and the step's number."""
        settings = self._settings
        set_rate(self._named.optimizer, self._schedule.at(step))
        batch = self._frames.batch(settings.frames, settings.queries, settings.seed, step)
        self.model.train()
        self.model.zero_grad(set_to_none=True)
        parts = self._losses(batch, step)
        loss = torch.stack(list(parts.values())).sum()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(
            self._parameters.values(), settings.max_gradient_norm
        )
        if not math.isfinite(loss.item()) or not math.isfinite(norm.item()):
            raise TrainingError(f"pretraining: the loss is {loss.item()} at step {step}")
        self._named.optimizer.step()
        return {"loss": loss.item(), **{name: part.item() for name, part in parts.items()}}

    def store(self, target: Path, resumable: bool) -> None:
        """Write a checkpoint; a resumable one holds heads and optimizer too."""
        start = self._settings.start or "random weights"
        lineage = Lineage(
            start, "base", 0, self.progress.step, [], LOSS_VERSION,
            list(self._parameters), package_versions(),
        )  # fmt: skip
        write_checkpoint(
            target,
            self.model.policy,
            self._statistics,
            lineage,
            OmegaConf.to_yaml(OmegaConf.structured(self._settings)),
            self._save_state if resumable else None,
        )

    # the losses

    def _losses(self, batch: Batch, step: int) -> dict[str, Tensor]:
        settings, model = self._settings, self.model
        generator = torch.Generator().manual_seed(mixed_seed(settings.seed, step, 1))
        images = brightened(batch.images, settings.brightness, generator)
        seen = model.look(images)
        words, word_mask = self._inputs.words(batch.phrases)
        read = model.read(seen, words, word_mask, self._inputs.states(batch.states))
        logits = model.classes(seen.patches)
        shares, counted = class_shares(batch.classes.flatten(0, 1), model.patch, len(CLASSES))
        pointed = read.pointed._replace(
            places=read.pointed.places[batch.points], logits=read.pointed.logits[batch.points]
        )
        parts = {
            "pointing": pointing_loss(
                pointed, batch.places[batch.points], batch.visible[batch.points], model.side
            ),
            "classes": settings.class_weight * class_loss(logits, shares, counted),
            "votes": settings.vote_weight * self._vote_loss(batch, seen, shares, counted),
        }
        rows = torch.nonzero(batch.moves).flatten()
        if len(rows):
            actions = self._inputs.actions(batch.chunks[rows])
            width = int(model.policy.config.max_action_dim)
            count = len(rows) * settings.noises
            draws = draw(count, actions.shape[1], width, settings.seed, step, 2)
            errors = model.flow_errors(read, rows, actions, draws)
            parts["flow"] = settings.flow_weight * errors.mean()
        return parts

    def _vote_loss(self, batch: Batch, seen: Seen, shares: Tensor, counted: Tensor) -> Tensor:
        head = self.model.votes
        shows = torch.where(counted, shares.argmax(dim=-1), -1)
        kinds = batch.kinds[:, None].expand(-1, batch.images.shape[1], -1).flatten(0, 1)
        votes = head(seen.tokens.flatten(0, 1))
        return vote_loss(votes, head.grid, kinds, batch.middles.flatten(0, 1), shows)

    def _measure(self, monitor: Monitor) -> None:
        progress = self.progress
        began = time.monotonic()
        result = measure(self.model, self._held_out, self._inputs, self._settings, progress.step)
        progress.measured.append(result.to_dict())
        for name, value in result.to_dict().items():
            if isinstance(value, float):
                monitor.scalar(f"held_out/{name}", value, progress.step)
        log.info(
            "step %d: points within %.1f px (%.1f cm), %.0f %% far; patches %.0f %%; flow %.3f; "
            "arms %.3f rad (still: %.3f); %.1f s a step; measured in %.0f s",
            progress.step, result.pointing_px, result.pointing_cm, 100 * result.far,
            100 * result.patches, result.flow_loss, result.motion, result.still,
            progress.seconds / max(1, progress.step), time.monotonic() - began,
        )  # fmt: skip
        draw_curves(progress.measured, self._work / "curves.png")

    # the beginning

    def _new_policy(self) -> tuple[Any, Statistics]:
        settings, sizes = self._settings, self._sizes
        width, _ = sizes["policy"]["resize_imgs_with_padding"]
        if (self._frames.size, self._frames.steps) != (width, sizes["policy"]["chunk_size"]):
            raise TrainingError(
                f"the frames have {self._frames.size} px and {self._frames.steps} steps, "
                f"{settings.architecture} has {width} px and {sizes['policy']['chunk_size']}: "
                "render them again with kuavo sim frames --size --steps"
            )
        if settings.start:
            started = open_checkpoint(Path(settings.start))
            if started.statistics.relative:
                raise TrainingError(
                    f"{settings.start} has relative actions, pretraining's motions are absolute: "
                    "start from another base"
                )
            return load(started, "cpu").policy, started.statistics
        vlm = Path(self._scratch.name) / VLM
        write_vlm(vlm, sizes, vocabulary_texts())
        policy = random_policy(sizes, vlm, settings.seed)
        return policy, from_data(self._frames.vectors())

    def _stored_policy(self) -> tuple[Any, Statistics]:
        checkpoint = open_checkpoint(self._resume)
        text = (self._resume / TRAINING_CONFIG).read_text(encoding="utf-8")
        stored: Any = OmegaConf.to_container(OmegaConf.create(text))
        then = {**asdict(Settings()), **stored}  # a setting that did not exist yet was its default
        now = json.loads(json.dumps(asdict(self._settings)))
        changed = [k for k in now if then[k] != now[k] and k not in MAY_CHANGE]
        if changed:
            raise TrainingError(
                f"{self._work} was begun with other settings: "
                + ", ".join(f"{k} {then[k]!r} → {now[k]!r}" for k in changed)
                + "; use the old ones, or another --out"
            )
        return load(checkpoint, "cpu").policy, checkpoint.statistics

    def _save_state(self, folder: Path) -> None:
        heads = {
            name: tensor.contiguous()
            for name, tensor in self.model.state_dict().items()
            if not name.startswith("policy.")
        }
        save_file(heads, folder / _HEADS)
        save_file(state_of(self._named), folder / _OPTIMIZER)
        (folder / _STATE).write_text(json.dumps(asdict(self.progress)), encoding="utf-8")

    def _begin(self) -> Progress:
        """Heads that lie beside the weights to start from (in a run's `resume/`) go on too."""
        start = Path(self._settings.start)
        if self._settings.start and (start / _HEADS).is_file():
            self._load_heads(start)
        return Progress(0, 0.0, [])

    def _load_heads(self, folder: Path) -> None:
        heads = load_file(folder / _HEADS)
        missing, unexpected = self.model.load_state_dict(heads, strict=False)
        left = [name for name in missing if not name.startswith("policy.")]
        if left or unexpected:
            raise TrainingError(f"{folder}: heads do not fit: {[*left, *unexpected]}")

    def _load_state(self) -> Progress:
        self._load_heads(self._resume)
        put_state(self._named, load_file(self._resume / _OPTIMIZER))
        return Progress(**json.loads((self._resume / _STATE).read_text(encoding="utf-8")))


def vocabulary_texts() -> list[str]:
    """What the tokenizer is trained on: the tasks' words and every phrase."""
    tasks = load_tasks().values()
    texts = [text for task in tasks for text in (task.instruction, task.description)]
    return texts * 20 + list(all_phrases(_DETAILS))
