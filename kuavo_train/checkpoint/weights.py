"""A policy with a checkpoint's weights, in little more memory than the weights themselves.

lerobot draws random weights, maps the file beside them, copies, and converts at the end: up to
four times the memory for a policy in half precision. Here the modules are built empty and each
tensor is read, converted and put in its place before the next.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
from safetensors import SafetensorError, safe_open
from torch import Tensor

from kuavo_train.errors import CheckpointError

CONVERTED = "model.vlm_with_expert."
"""lerobot's projections of state, action and time stay float32; it converts in between."""


def read_policy(file: Path, config: Any, dtype: torch.dtype) -> SmolVLAPolicy:
    """Build and fill a policy.

    Args:
        file: its `model.safetensors`.
        config: its configuration; names the device.
        dtype: of the VLM's and the expert's weights.

    Raises:
        CheckpointError: the file can't be read, or its tensors are not this architecture's.
    """
    with init_empty_weights(include_buffers=False):
        policy = SmolVLAPolicy(config)
    wanted = {name: tuple(value.shape) for name, value in policy.state_dict().items()}
    try:
        with safe_open(file, "pt") as content:
            names = list(content.keys())
            found = {name: tuple(content.get_slice(name).get_shape()) for name in names}
        _compare(wanted, found, file)
        for name in wanted:
            chosen = dtype if name.startswith(CONVERTED) else torch.float32
            tensor = _tensor(file, name).to(config.device, chosen, copy=True)
            _put(policy, name, tensor)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} can't be read: {error}") from error
    return policy.to(config.device).eval()


def _tensor(file: Path, name: str) -> Tensor:
    # opened each time: a mapping that stays keeps every page that was read
    with safe_open(file, "pt") as content:
        tensor: Tensor = content.get_tensor(name)
    return tensor


def _put(policy: Any, name: str, tensor: Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    owner = policy.get_submodule(path)
    learns = getattr(owner, leaf).requires_grad
    setattr(owner, leaf, torch.nn.Parameter(tensor, requires_grad=learns))


def _compare(wanted: dict[str, Any], found: dict[str, Any], file: Path) -> None:
    missing = [name for name in wanted if name not in found]
    other = [name for name in found if name not in wanted]
    shapes = [n for n in wanted if n in found and wanted[n] != found[n]]
    if missing or other or shapes:
        raise CheckpointError(
            f"{file} is another architecture's: {len(missing)} tensors are missing "
            f"({', '.join(missing[:3])}), {len(other)} are unknown ({', '.join(other[:3])}), "
            f"{len(shapes)} have another shape ({', '.join(shapes[:3])})"
        )
