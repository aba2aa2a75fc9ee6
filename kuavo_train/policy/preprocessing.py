"""The one way from a raw observation to the policy's input: training, evaluation and the robot.

    image of any size, uint8 HWC or CHW, or float CHW in 0…1
      → float CHW in 0…1, letterboxed to the policy's size by lerobot's own function
    state (16,) in robot units, `task` text
      → lerobot's processor pipeline: tokens, normalization, device

Each image is letterboxed alone, before batching, so that recordings of different sizes share a
batch; lerobot's own resize, later in the policy, then finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from lerobot.policies.smolvla.modeling_smolvla import resize_with_pad
from torch import Tensor

from kuavo_deploy.robot.topics import STATE_FEATURE
from kuavo_train.errors import DataError
from kuavo_train.policy.action_space import STATE_DIM

TASK = "task"


def image_tensor(image: Any, size: tuple[int, int]) -> Tensor:
    """One camera image as the policy sees it.

    Args:
        image: uint8 (H, W, 3) or (3, H, W), or float (3, H, W) in 0…1.
        size: the policy's width and height.

    Returns:
        Float32, shape (3, height, width), in 0…1; the padding (left and top) is black.
    """
    # a decoded image may be read-only, of which torch complains
    tensor = image if isinstance(image, Tensor) else torch.as_tensor(np.require(image, None, "W"))
    if tensor.ndim != 3 or 3 not in (tensor.shape[0], tensor.shape[-1]):
        raise DataError(f"an image has three channels, got shape {tuple(tensor.shape)}")
    if tensor.shape[-1] == 3 and (tensor.dtype == torch.uint8 or tensor.shape[0] != 3):
        tensor = tensor.permute(2, 0, 1)
    if tensor.dtype == torch.uint8:
        tensor = tensor.to(torch.float32).div_(255)
    elif tensor.is_floating_point():
        tensor = tensor.to(torch.float32)
    else:
        raise DataError(f"an image is uint8 or float in 0…1, not {tensor.dtype}")
    # a camera's pixels lie channel by channel already, and torch resizes them so ten times faster;
    # recordings are brought into the same order, so that both take the same path to the last bit
    pixels = tensor[None].contiguous(memory_format=torch.channels_last)
    return resize_with_pad(pixels, *size, pad_value=0)[0].contiguous()


def state_tensor(state: Any) -> Tensor:
    """A state in robot units, shape (16,), float32.

    Raises:
        DataError: another length, or a number that is not finite (it would reach the robot).
    """
    tensor = torch.as_tensor(state).to(torch.float32)
    if tensor.shape != (STATE_DIM,):
        raise DataError(f"the state has {STATE_DIM} numbers, got shape {tuple(tensor.shape)}")
    if not torch.isfinite(tensor).all():
        bad = torch.nonzero(~torch.isfinite(tensor)).flatten().tolist()
        raise DataError(f"the state is not finite at {bad}")
    return tensor


def observation_tensors(
    observation: Mapping[str, Any], cameras: Sequence[str], size: tuple[int, int]
) -> dict[str, Any]:
    """One raw observation (no batch dimension) → tensors, ready to be stacked.

    Args:
        observation: the cameras' features, `observation.state`, `task`; other keys are ignored.
        cameras: feature names that the policy was trained with; all must be there.
        size: the policy's image width and height.
    """
    missing = [name for name in (*cameras, STATE_FEATURE, TASK) if name not in observation]
    if missing:
        raise DataError(
            f"the observation lacks {', '.join(missing)}; the policy needs "
            f"{', '.join(cameras)}, {STATE_FEATURE} and {TASK}"
        )
    tensors = seen_tensors(observation, cameras, size)
    tensors[STATE_FEATURE] = state_tensor(observation[STATE_FEATURE])
    return tensors


def seen_tensors(
    observation: Mapping[str, Any], cameras: Sequence[str], size: tuple[int, int]
) -> dict[str, Any]:
    """Of a raw observation, what is known without the joint state: images and instruction."""
    tensors: dict[str, Any] = {name: image_tensor(observation[name], size) for name in cameras}
    tensors[TASK] = instruction_text(observation[TASK])
    return tensors


def instruction_text(text: Any) -> str:
    """The instruction, stripped; empty or no text is an error."""
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"the instruction must be a text, got {text!r}")
    return text.strip()


def stacked(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Samples → one batch: tensors stacked, everything else in lists."""
    batch: dict[str, Any] = {}
    for name in samples[0]:
        values = [sample[name] for sample in samples]
        batch[name] = torch.stack(values) if isinstance(values[0], Tensor) else values
    return batch


def token_count(tokenizer: Any, text: str) -> int:
    """Tokens of an instruction as the pipeline sees it (with the newline that it appends)."""
    return _token_count(tokenizer, text)


@lru_cache(maxsize=4096)
def _token_count(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text if text.endswith("\n") else f"{text}\n")["input_ids"])


def check_instruction_length(tokenizer: Any, text: str, limit: int) -> None:
    """Raise DataError when the pipeline would cut the instruction silently."""
    count = token_count(tokenizer, text)
    if count > limit:
        shown = text if len(text) <= 80 else text[:77] + "…"
        raise DataError(
            f"the instruction {shown!r} has {count} tokens, the policy reads {limit}: shorten it, "
            "or train with a larger policy.tokenizer_max_length"
        )
