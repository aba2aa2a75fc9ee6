"""A checkpoint with random weights and the real format, that loads in a second."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from kuavo_train.checkpoint.manifest import Lineage, TaskRecord
from kuavo_train.checkpoint.writer import VLM, write_checkpoint
from kuavo_train.policy.architecture import random_policy, robot_features, write_vlm
from kuavo_train.policy.normalization import Statistics
from kuavo_train.tasks import load_tasks

CHUNK = 20
HANDS = 0.3
"""Closure around which the hands' actions lie."""
SIZES = {
    "vision": {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": 32, "patch_size": 8,
    },
    "text": {
        "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 16,
        "max_position_embeddings": 256,
    },
    "scale_factor": 2,
    "vocabulary": 600,
    "policy": {
        "chunk_size": CHUNK, "n_action_steps": CHUNK, "num_steps": 3,
        "expert_width_multiplier": 0.75, "num_vlm_layers": 2, "self_attn_every_n_layers": 2,
        "resize_imgs_with_padding": [32, 32], "tokenizer_max_length": 96,
    },
}  # fmt: skip


def write_tiny_checkpoint(
    folder: Path, arms: np.ndarray, spread: float = 0.03, seed: int = 0
) -> Path:
    """Random weights whose actions lie around a posture, shape (14,) [rad]."""
    tasks = list(load_tasks().values())
    with tempfile.TemporaryDirectory() as scratch:
        vlm = Path(scratch) / VLM
        write_vlm(vlm, SIZES, [task.instruction for task in tasks])
        policy = random_policy(SIZES, vlm, seed)
        # as if it had been trained with recordings of the robot's size
        policy.config.input_features, policy.config.output_features = robot_features((3, 480, 640))
        lineage = Lineage(
            parent="random", stage="1", epoch=0, step=0, loss_version="test", trainable=[],
            packages={},
            tasks=[TaskRecord(t.id, t.name, t.instruction, t.action_dim, "none") for t in tasks],
        )  # fmt: skip
        write_checkpoint(folder, policy, _statistics(arms, spread), lineage, "")
    return folder


def _statistics(arms: np.ndarray, spread: float) -> Statistics:
    mean = np.concatenate([arms[:7], [HANDS], arms[7:], [HANDS], np.zeros(4)]).astype(np.float32)
    std = np.full(20, spread, dtype=np.float32)
    values = {
        "observation.state": {"mean": mean[:16], "std": std[:16]},
        "action": {"mean": mean, "std": std},
    }
    return Statistics(source="test", values=values)
