"""Read a checkpoint: verified, without a network, wherever the folder was copied to."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import draccus
import torch
from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

from kuavo_deploy.robot.topics import IMAGE_FEATURES
from kuavo_train.checkpoint.manifest import WEIGHTS, Manifest, read_manifest, verify
from kuavo_train.checkpoint.processors import Postprocessor, Preprocessor, make_processors
from kuavo_train.checkpoint.weights import read_policy
from kuavo_train.checkpoint.writer import VLM
from kuavo_train.errors import CheckpointError
from kuavo_train.policy import normalization
from kuavo_train.policy.action_space import STATE_DIM, UNIFIED_DIM
from kuavo_train.policy.normalization import Statistics

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint, not loaded yet."""

    path: Path
    manifest: Manifest
    statistics: Statistics
    config: Any


@dataclass(frozen=True)
class LoadedPolicy:
    """A policy and its two pipelines, on one device."""

    policy: SmolVLAPolicy
    preprocessor: Preprocessor
    postprocessor: Postprocessor


def open_checkpoint(path: Path | str, check_hashes: bool = True) -> Checkpoint:
    """Verify a checkpoint folder and read what it says about itself.

    Raises:
        CheckpointError: missing, incomplete, a byte differs, another robot's dimensions.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    if check_hashes:
        verify(folder, manifest)
    statistics = Statistics.from_json(folder / normalization.FILE)
    if statistics.hash != manifest.normalization_hash:
        raise CheckpointError(f"{folder}: its normalization is not the one its manifest names")
    config = read_config(folder)
    config.vlm_model_name = str((folder / VLM).absolute())
    _check_robot(config, folder)
    return Checkpoint(folder, manifest, statistics, config)


def read_config(folder: Path) -> SmolVLAConfig:
    """The configuration of the SmolVLA in a folder, decoded as lerobot does.

    (lerobot builds a command line parser around it first, out of its sources' text: that takes
    longer than everything else about opening a checkpoint, and leaves a file in /tmp each time.)

    Raises:
        CheckpointError: no configuration, or that of another kind of policy.
    """
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = content.pop("type", None)
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{folder} holds no policy: {error}") from error
    if kind != "smolvla":
        raise CheckpointError(f"{folder} holds a policy of type {kind!r}, expected 'smolvla'")
    try:
        config: SmolVLAConfig = draccus.decode(SmolVLAConfig, content)
    except (draccus.utils.DraccusException, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder}/config.json is no SmolVLA's: {error}") from error
    return config


def load(
    checkpoint: Checkpoint, device: str | torch.device | None = None, dtype: str = "float32"
) -> LoadedPolicy:
    """Load the weights.

    Args:
        checkpoint: what to load.
        device: default: the GPU where there is one.
        dtype: of the VLM's and the expert's weights: float32 or bfloat16.
    """
    if dtype not in DTYPES:
        raise CheckpointError(f"unknown dtype {dtype!r}: choose from {', '.join(DTYPES)}")
    config = checkpoint.config
    config.device = str(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    with contextlib.redirect_stdout(io.StringIO()):  # lerobot prints while it builds
        policy = read_policy(checkpoint.path / WEIGHTS, config, DTYPES[dtype])
    preprocessor, postprocessor = make_processors(config, checkpoint.statistics)
    return LoadedPolicy(policy, preprocessor, postprocessor)


def _check_robot(config: Any, folder: Path) -> None:
    state, action = config.robot_state_feature, config.action_feature
    found = (state.shape[0] if state else None, action.shape[0] if action else None)
    if found != (STATE_DIM, UNIFIED_DIM):
        raise CheckpointError(
            f"{folder} was trained for another robot: state and action have {found[0]} and "
            f"{found[1]} numbers, this robot has {STATE_DIM} and {UNIFIED_DIM}"
        )
    unknown = set(config.image_features) - set(IMAGE_FEATURES.values())
    if unknown or not config.image_features:
        raise CheckpointError(
            f"{folder} was trained for other cameras: "
            f"{', '.join(config.image_features) or 'none'}; "
            f"this robot has {', '.join(IMAGE_FEATURES.values())}"
        )
