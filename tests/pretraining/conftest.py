"""Labelled frames that cost nothing: a red square that is called tray, a green one called bin."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from kuavo_train.pretraining.run import pretrain
from kuavo_train.pretraining.settings import Settings

SIZE, STEPS = 32, 6
SQUARE = 8
COLOURS = {"tray": (220, 40, 40), "bin": (40, 220, 40)}

TINY = {
    "vision": {
        "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": SIZE, "patch_size": 8,
    },
    "text": {
        "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 3,
        "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 16,
        "max_position_embeddings": 256,
    },
    "scale_factor": 1,
    "vocabulary": 400,
    "policy": {
        "chunk_size": STEPS, "n_action_steps": 4, "num_steps": 3, "expert_width_multiplier": 0.75,
        "num_vlm_layers": 3, "self_attn_every_n_layers": 2,
        "resize_imgs_with_padding": [SIZE, SIZE],
    },
}  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def architectures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("architectures")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return folder


@pytest.fixture(scope="session")
def squares(tmp_path_factory) -> Path:
    """Shards of frames with a red and a green square; motions go where the red one is."""
    folder = tmp_path_factory.mktemp("squares")
    for seed in range(12):
        write_squares(folder / f"sorting_{seed:08d}.npz", seed)
    return folder


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory, squares, architectures) -> Path:
    """A base model, its run beside it (`base.training`); read it, don't write to it."""
    out = tmp_path_factory.mktemp("pretrained") / "base"
    pretrain(squares, out, quick(), architectures)
    return out


def write_squares(file: Path, seed: int, frames: int = 24) -> None:
    """One shard in the form that `kuavo sim frames` writes."""
    rng = np.random.default_rng(seed)
    images = np.full((frames, 3, SIZE, SIZE, 3), 90, np.uint8)
    classes = np.zeros((frames, 3, SIZE, SIZE), np.uint8)
    classes[:, :, : SIZE // 4] = 255
    places = np.zeros((frames, 2, 3, 2), np.float32)
    chunks = np.zeros((frames, STEPS, 20), np.float32)
    for frame in range(frames):
        for camera in range(3):
            for thing, colour in enumerate(COLOURS.values()):
                x, y = rng.integers(0, SIZE - SQUARE, 2)
                images[frame, camera, y : y + SQUARE, x : x + SQUARE] = colour
                classes[frame, camera, y : y + SQUARE, x : x + SQUARE] = 16 + thing
                places[frame, thing, camera] = (np.array([x, y]) + SQUARE / 2) / SIZE * 2 - 1
        chunks[frame, :, 8] = places[frame, 0, 0, 0]
    about = {
        "task": "sorting",
        "seed": seed,
        "things": [{"kind": name, "details": []} for name in COLOURS],
        "motions": [
            {"frame": f, "kind": "at", "thing": 0, "side": "r"} for f in range(0, frames, 2)
        ],
    }
    np.savez_compressed(
        file,
        images=images,
        classes=classes,
        states=rng.normal(0, 0.3, (frames, 16)).astype(np.float32),
        places=places,
        metres=np.ones((frames, 2, 3), np.float32),
        visible=np.ones((frames, 2, 3), bool),
        chunks=chunks[::2],
        about=json.dumps(about),
    )


def quick(**changes) -> Settings:
    """Settings of runs that take seconds."""
    return Settings(
        **{
            "architecture": "tiny", "steps": 4, "frames": 4, "queries": 2, "noises": 2,
            "held_out": 6, "validate_steps": 50, "validation_batches": 2, "save_steps": 2,
            "warmup_steps": 4, **changes,
        }
    )  # fmt: skip
