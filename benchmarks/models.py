"""Policies with random weights and inputs for them: what a benchmark runs on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from kuavo_train.engine.guidance import Remainder
from kuavo_train.engine.samplers import TOKEN_MASK, TOKENS
from kuavo_train.policy.architecture import random_policy, read_architecture, write_vlm
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
