"""The policy a stage starts with: a base model or a parent's checkpoint, made this robot's.

Rewritten, never inherited: input and output features (from the data), the instruction's length
(so that no task's instruction is cut), the VLM's folder (local, so that checkpoints carry it).
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
from transformers import AutoConfig, AutoProcessor, AutoTokenizer

from kuavo_train.checkpoint.reader import DTYPES, read_config
from kuavo_train.checkpoint.writer import VLM
from kuavo_train.errors import TrainingError
from kuavo_train.policy.action_space import silence_padding
from kuavo_train.policy.architecture import robot_features
from kuavo_train.policy.freezing import VLM_PREFIX
from kuavo_train.policy.preprocessing import token_count

TOKEN_STEP = 8
VLM_FILES = ["*.json", "*.txt", "*.model"]
"""What is needed of a VLM: configuration and tokenizer. Its gigabytes of weights are not."""


def local_model(name: str, files: list[str] | None = None) -> Path:
    """A folder with the model called `name`: itself, or what the hub (or its cache) has.

    Args:
        name: folder, or name on the hub.
        files: patterns of what is needed; default: all of it.

    Raises:
        TrainingError: neither; the message says how to bring it.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder
    looks_local = name.startswith((".", "/")) or name.count("/") != 1
    if not looks_local:
        try:
            return Path(snapshot_download(name, allow_patterns=files))
        except Exception as error:
            raise TrainingError(
                f"no folder {name!r}, and the hub did not give it ({type(error).__name__}): "
                "without a network, copy the model's folder here and set policy.pretrained "
                "and policy.vlm to the copies (docs/training.md)"
            ) from error
    hint = "make it with: kuavo train base --size nano" if "nano" in name else "check the path"
    raise TrainingError(f"no model at {name}: {hint}")


def prepare_vlm(source: str, layers: int, into: Path) -> Path:
    """Write a VLM's configuration and processor into `into`, cut to the layers in use.

    lerobot builds all layers of the VLM and throws the upper ones away; a configuration that
    names only the lower ones gives the same policy sooner.
    """
    folder = local_model(source, VLM_FILES)
    config = AutoConfig.from_pretrained(folder)
    if 0 < layers < config.text_config.num_hidden_layers:
        config.text_config.num_hidden_layers = layers
    config.save_pretrained(into)
    AutoProcessor.from_pretrained(folder).save_pretrained(into)
    return into


def build_policy(
    options: Any,
    source: str,
    image_shape: tuple[int, int, int],
    instructions: Sequence[str],
    work: Path,
    device: str,
) -> SmolVLAPolicy:
    """Load the weights at `source` into a policy for this robot.

    Args:
        options: the `policy` group of the configuration.
        source: folder or hub name of a SmolVLA.
        image_shape: of the recordings, (3, height, width).
        instructions: all tasks' texts; none of them may be cut.
        work: a folder that lives as long as the policy, for the VLM's configuration.
        device: where it goes.
    """
    folder = local_model(source)
    config = read_config(folder)
    vlm = options.vlm or (str(folder / VLM) if (folder / VLM).is_dir() else config.vlm_model_name)
    config.vlm_model_name = str(prepare_vlm(vlm, config.num_vlm_layers, work / VLM))
    config.load_vlm_weights = False
    config.device = device
    config.empty_cameras = 0
    config.input_features, config.output_features = robot_features(image_shape)
    config.chunk_size = options.chunk_size or config.chunk_size
    config.n_action_steps = options.n_action_steps or min(config.n_action_steps, config.chunk_size)
    config.pad_language_to = "max_length"
    tokenizer = AutoTokenizer.from_pretrained(work / VLM)
    config.tokenizer_max_length = _token_limit(
        options.tokenizer_max_length, config.tokenizer_max_length, tokenizer, instructions
    )
    with contextlib.redirect_stdout(io.StringIO()):
        policy = SmolVLAPolicy.from_pretrained(folder, config=config, strict=False)
    _check_weights(policy, folder)
    silence_padding(policy.model)
    return policy


def set_vlm_dtype(policy: SmolVLAPolicy, dtype: str, trainable: Sequence[str]) -> None:
    """Give the VLM's weights a precision; what is trained stays float32.

    Raises:
        TrainingError: unknown, or half precision for weights that are trained.
    """
    if dtype not in DTYPES:
        raise TrainingError(f"policy.vlm_dtype is {dtype!r}: choose from {', '.join(DTYPES)}")
    if dtype != "float32" and any(name.startswith(VLM_PREFIX) for name in trainable):
        raise TrainingError(
            f"policy.vlm_dtype={dtype} needs freezing=expert_only: small updates are lost in half "
            "precision, so trained weights stay float32 (training.mixed_precision=bf16 computes "
            "in half precision all the same)"
        )
    policy.model.vlm_with_expert.vlm.to(DTYPES[dtype])


def _token_limit(wanted: str | int, base: int, tokenizer: Any, instructions: Sequence[str]) -> int:
    longest = max(token_count(tokenizer, text) for text in instructions)
    if wanted == "auto":
        return max(base, -(-longest // TOKEN_STEP) * TOKEN_STEP)
    if int(wanted) < longest:
        raise TrainingError(
            f"policy.tokenizer_max_length is {wanted}, the longest instruction has {longest} "
            "tokens and would be cut: use 'auto' or at least that"
        )
    return int(wanted)


def _check_weights(policy: SmolVLAPolicy, folder: Path) -> None:
    """Lerobot only logs tensors that the file did not have; they would be random."""
    from safetensors import safe_open

    with safe_open(str(folder / "model.safetensors"), framework="pt") as stored:
        missing = set(policy.state_dict()) - set(stored.keys())
    tied = {"model.vlm_with_expert.vlm.lm_head.weight"}  # never read by the action
    if missing - tied:
        some = ", ".join(sorted(missing - tied)[:5])
        raise TrainingError(
            f"{folder}/model.safetensors lacks {len(missing - tied)} tensors of this architecture "
            f"(first: {some}): is it the right base model?"
        )


def source_name(parent: Path | None, options: Any) -> str:
    """What a stage starts from."""
    return str(parent) if parent else str(options.pretrained)
