"""Policies with random weights and inputs for them: what a benchmark runs on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kuavo_deploy.executor.settings import load_start_postures
from kuavo_deploy.robot.topics import ACTION_FEATURE, STATE_FEATURE
from kuavo_train.checkpoint.manifest import Lineage, TaskRecord
from kuavo_train.checkpoint.writer import VLM, write_checkpoint
from kuavo_train.engine.guidance import Remainder
from kuavo_train.engine.samplers import TOKEN_MASK, TOKENS
from kuavo_train.policy.action_space import STATE_DIM
from kuavo_train.policy.architecture import (
    random_policy,
    read_architecture,
    robot_features,
    write_vlm,
)
from kuavo_train.policy.normalization import Statistics
from kuavo_train.tasks import load_tasks
from kuavo_train.tasks.registry import configs_root

NANO, LARGE = "nano", "smolvla_450m"
INSTRUCTION_TOKENS = 30
"""Of a usual instruction, recorded with 48."""


def policy(size: str, device: str = "cpu") -> Any:
    """Of an architecture, with the tokenizer of the tasks' instructions."""
    sizes = read_architecture(configs_root() / "policy" / "architecture", size)
    with tempfile.TemporaryDirectory() as scratch:
        vlm = Path(scratch) / "vlm"
        write_vlm(vlm, sizes, [task.instruction for task in load_tasks().values()])
        made = random_policy(sizes, vlm)
    made.config.device = device
    return made.to(device).eval()


def observation(of: Any, device: str = "cpu", seed: int = 0) -> dict[str, Any]:
    """What the preprocessor gives for one observation."""
    config, generator = of.config, torch.Generator().manual_seed(seed)
    width, height = config.resize_imgs_with_padding
    length = config.tokenizer_max_length
    batch: dict[str, Any] = {
        camera: torch.rand(1, 3, height, width, generator=generator)
        for camera in config.image_features
    }
    batch["observation.state"] = torch.randn(1, 16, generator=generator)
    batch[TOKENS] = torch.randint(5, 200, (1, length), generator=generator)
    batch[TOKEN_MASK] = torch.arange(length)[None] < INSTRUCTION_TOKENS
    return {name: value.to(device) for name, value in batch.items()}


def noise(of: Any, device: str = "cpu") -> torch.Tensor:
    """To start from, shape (1, T, 32)."""
    size = (1, of.config.chunk_size, of.config.max_action_dim)
    return torch.randn(size, generator=torch.Generator().manual_seed(1)).to(device)


def remainder(of: Any, device: str = "cpu") -> Remainder:
    """Half a chunk that is still to be executed."""
    size = (1, of.config.chunk_size // 2, 20)
    rest = torch.randn(size, generator=torch.Generator().manual_seed(2)).to(device)
    return Remainder(rest, delay=size[1] // 3, horizon=size[1])


def checkpoint(folder: Path, size: str = NANO) -> Path:
    """Random weights in a checkpoint's form, whose actions lie around a start posture."""
    tasks = list(load_tasks().values())
    sizes = read_architecture(configs_root() / "policy" / "architecture", size)
    with tempfile.TemporaryDirectory() as scratch:
        write_vlm(Path(scratch) / VLM, sizes, [task.instruction for task in tasks])
        made = random_policy(sizes, Path(scratch) / VLM)
        made.config.input_features, made.config.output_features = robot_features((3, 480, 640))
        lineage = Lineage(
            parent="random", stage="1", epoch=0, step=0, loss_version="benchmark", trainable=[],
            packages={},
            tasks=[TaskRecord(t.id, t.name, t.instruction, t.action_dim, "none") for t in tasks],
        )  # fmt: skip
        write_checkpoint(folder, made, _near_a_start(), lineage, "")
    return folder


def _near_a_start() -> Statistics:
    postures = load_start_postures(configs_root() / "deploy" / "start_postures.yaml")
    arms, hand = np.asarray(postures["weighing"]), [0.3]
    mean = np.concatenate([arms[:7], hand, arms[7:], hand, np.zeros(4)]).astype(np.float32)
    deviation = np.full(len(mean), 0.02, np.float32)
    values = {
        STATE_FEATURE: {"mean": mean[:STATE_DIM], "std": deviation[:STATE_DIM]},
        ACTION_FEATURE: {"mean": mean, "std": deviation},
    }
    return Statistics(source="benchmark", values=values)
