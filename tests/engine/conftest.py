"""Policies with random weights, none of which is a one or a zero that could hide a mistake."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from kuavo_train.engine.guidance import Remainder
from kuavo_train.engine.samplers import TOKEN_MASK, TOKENS, FastSampler, StockSampler
from kuavo_train.policy.architecture import random_policy, read_architecture, write_vlm
from kuavo_train.tasks.registry import configs_root

SMALL = {
    "vision": {
        "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 3, "image_size": 32, "patch_size": 8,
    },
    "text": {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
        "max_position_embeddings": 256,
    },
    "scale_factor": 2,
    "vocabulary": 300,
    "policy": {
        "chunk_size": 10, "n_action_steps": 10, "num_steps": 4, "expert_width_multiplier": 0.75,
        "num_vlm_layers": 4, "self_attn_every_n_layers": 2, "resize_imgs_with_padding": [32, 32],
    },
}  # fmt: skip
"""Every kind of layer that there is, as small as it goes."""


def make_policy(size: str = "small", seed: int = 0) -> Any:
    """Of an architecture; norms and biases are random too (at the start they are 1 and 0)."""
    folder = configs_root() / "policy" / "architecture"
    sizes = SMALL if size == "small" else read_architecture(folder, size)
    with tempfile.TemporaryDirectory() as scratch:
        vlm = Path(scratch) / "vlm"
        write_vlm(vlm, sizes, ["weigh the parcel"])
        policy = random_policy(sizes, vlm, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.rand(parameter.shape, generator=generator) * 0.4)
    return policy.eval()


@pytest.fixture(scope="session")
def shared_policy() -> Any:
    return make_policy()


@pytest.fixture
def policy(shared_policy: Any) -> Iterator[Any]:
    """Small, as it was before; real-time chunking off."""
    before = {name: value.clone() for name, value in shared_policy.state_dict().items()}
    yield shared_policy
    shared_policy.load_state_dict(before)
    shared_policy.config.rtc_config = None
    shared_policy.init_rtc_processor()
    shared_policy.model.rtc_processor = None


def batch(policy: Any, lengths: Sequence[int], seed: int = 0) -> dict[str, Any]:
    """As the preprocessor gives it: one instruction of random tokens per length."""
    config, count = policy.config, len(lengths)
    generator = torch.Generator().manual_seed(seed)
    width, height = config.resize_imgs_with_padding
    content: dict[str, Any] = {
        camera: torch.rand(count, 3, height, width, generator=generator)
        for camera in config.image_features
    }
    content["observation.state"] = torch.randn(count, 16, generator=generator)
    size = (count, config.tokenizer_max_length)
    content[TOKENS] = torch.randint(5, 200, size, generator=generator)
    content[TOKEN_MASK] = torch.arange(size[1]) < torch.tensor(lengths)[:, None]
    return content


def noise(policy: Any, count: int = 1, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = (count, policy.config.chunk_size, policy.config.max_action_dim)
    return torch.randn(size, generator=generator)


def remainder(policy: Any, count: int = 1, steps: int = 9) -> Remainder:
    """Of a chunk that was drawn, not computed."""
    actions = torch.randn(count, steps, 20, generator=torch.Generator().manual_seed(5))
    return Remainder(actions, delay=3, horizon=7)


def stock(policy: Any, content: dict[str, Any], start: Any, left: Remainder | None) -> Any:
    return StockSampler(policy).chunk(dict(content), start, left)


def fast(sampler: FastSampler, content: dict[str, Any], start: Any, left: Remainder | None) -> Any:
    return sampler.chunk(dict(content), start, left)


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())
