"""How well a model points, sees and moves on held-out frames; always the same questions."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kuavo_deploy.robot.layout import ARM_INDICES
from kuavo_train.policy.flow_loss import Draws, draw
from kuavo_train.pretraining.frames import Batch, Frames
from kuavo_train.pretraining.heads import class_loss, class_shares
from kuavo_train.pretraining.inputs import Inputs
from kuavo_train.pretraining.model import PretrainingModel, Read
from kuavo_train.pretraining.settings import Settings

SAMPLING_STEPS = 10
_SEED = 7


@dataclass
class Measured:
    """Means over held-out queries.

    pointing_px, pointing_cm: median distance from the named thing where it can be seen, over all
    cameras; `far`: share of them farther than 8 px. by_camera: the median [px] of each. seen:
    how often 'is it in this picture?' is right. patches: patches whose commonest class is right.
    class_loss, flow_loss: as trained. motion, still: mean error of sampled arm actions, and of
    holding still [rad].
    """

    step: int = 0
    pointing_px: float = 0.0
    pointing_cm: float = 0.0
    far: float = 0.0
    by_camera: list[float] = field(default_factory=list)
    seen: float = 0.0
    patches: float = 0.0
    class_loss: float = 0.0
    flow_loss: float = 0.0
    motion: float = 0.0
    still: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@torch.no_grad()
def measure(
    model: PretrainingModel, frames: Frames, inputs: Inputs, settings: Settings, step: int
) -> Measured:
    """Ask the same questions about the same frames."""
    model.eval()
    parts = [
        _one(model, frames.batch(settings.frames, settings.queries, _SEED, i), inputs, i)
        for i in range(settings.validation_batches)
    ]
    model.train()
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    pixels = joined["pixels"]
    cameras = [pixels[joined["camera"] == c] for c in range(3)]
    return Measured(
        step=step,
        pointing_px=_median(pixels),
        pointing_cm=100 * _median(joined["metres"]),
        far=float((pixels > 8).mean()) if len(pixels) else float("nan"),
        by_camera=[_median(of) for of in cameras],
        **{
            key: float(joined[key].mean())
            for key in ("seen", "patches", "class_loss", "flow_loss", "motion", "still")
        },
    )


def _one(
    model: PretrainingModel, batch: Batch, inputs: Inputs, index: int
) -> dict[str, np.ndarray]:
    words, word_mask = inputs.words(batch.phrases)
    seen = model.look(batch.images)
    read = model.read(seen, words, word_mask, inputs.states(batch.states))
    names = batch.points
    away = (read.pointed.places - batch.places)[names].norm(dim=-1)
    visible = batch.visible[names]
    answered = (read.pointed.seen[names] > 0.5) == visible
    logits = model.classes(seen.patches)
    shares, counted = class_shares(batch.classes.flatten(0, 1), model.patch, logits.shape[-1])
    right = (logits.argmax(-1) == shares.argmax(-1))[counted]
    rows = torch.nonzero(batch.moves).flatten()
    actions = inputs.actions(batch.chunks[rows])
    draws = draw(len(rows), actions.shape[1], 32, _SEED, 1, index)
    errors = model.flow_errors(read, rows, actions, draws)
    sampled = inputs.robot_actions(_sample(model, read, rows, draws))
    arms = list(ARM_INDICES)
    wanted, now = batch.chunks[rows][..., arms], batch.states[rows][:, None, arms]
    half = model.side * model.patch * _scale(model) / 2
    return {
        "pixels": (away * half)[visible].numpy(),
        "metres": (away * batch.metres[names])[visible].numpy(),
        "camera": torch.arange(3).expand(visible.shape)[visible].numpy(),
        "seen": answered.float().flatten().numpy(),
        "patches": right.float().numpy(),
        "class_loss": np.array([float(class_loss(logits, shares, counted))]),
        "flow_loss": errors.mean(dim=(1, 2)).numpy(),
        "motion": (sampled[..., arms] - wanted).abs().mean(dim=(1, 2)).numpy(),
        "still": (now - wanted).abs().mean(dim=(1, 2)).numpy(),
    }


def _scale(model: PretrainingModel) -> int:
    return int(model.policy.model.vlm_with_expert.config.scale_factor)


def _sample(model: PretrainingModel, read: Read, rows: Tensor, draws: Draws) -> Tensor:
    """Actions, normalized, (M, T, 20), by Euler's method as at inference."""
    cache = {
        layer: {name: tensor[rows] for name, tensor in pair.items()}
        for layer, pair in read.cache.items()
    }
    noisy = draws.noise
    for k in range(SAMPLING_STEPS):
        time = torch.full((len(rows),), 1.0 - k / SAMPLING_STEPS)
        noisy = (
            noisy
            - model.policy.model.denoise_step(
                prefix_pad_masks=read.mask[rows], past_key_values=cache, x_t=noisy, timestep=time
            )
            / SAMPLING_STEPS
        )
    return noisy[..., :20]


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else float("nan")
