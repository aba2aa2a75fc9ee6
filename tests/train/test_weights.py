"""A checkpoint's weights arrive as lerobot would load them, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
from safetensors.torch import load_file, save_file

from kuavo_train.checkpoint.reader import open_checkpoint
from kuavo_train.checkpoint.weights import read_policy
from kuavo_train.errors import CheckpointError
from tests.deploy.tiny_policy import write_tiny_checkpoint

PROJECTIONS = {"state_proj", "action_in_proj", "action_out_proj", "action_time_mlp_in",
               "action_time_mlp_out"}  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "best", np.zeros(14))


@pytest.fixture
def config(checkpoint: Path):
    made = open_checkpoint(checkpoint).config
    made.device = "cpu"
    return made


def test_everything_is_as_lerobot_loads_it(checkpoint, config):
    expected = SmolVLAPolicy.from_pretrained(checkpoint, config=config, strict=True)
    found = read_policy(checkpoint / "model.safetensors", config, torch.float32)
    assert found.training == expected.training
    for kind in ("named_parameters", "named_buffers"):
        mine, theirs = dict(getattr(found, kind)()), dict(getattr(expected, kind)())
        assert mine.keys() == theirs.keys()
        for name, value in theirs.items():
            assert torch.equal(mine[name], value), name
            assert mine[name].requires_grad == value.requires_grad, name


def test_half_precision_is_for_the_vlm_and_the_expert_alone(checkpoint, config):
    policy = read_policy(checkpoint / "model.safetensors", config, torch.bfloat16)
    whole = {name.split(".")[1] for name, p in policy.named_parameters() if p.dtype.itemsize == 4}
    assert whole == PROJECTIONS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop("model.state_proj.bias"), "1 tensors are missing.*state_proj"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), "1 are unknown.*more"),
        (lambda tensors: tensors.update({"model.state_proj.bias": torch.zeros(3)}), "shape.*state"),
    ],
    ids=["missing", "unknown", "another shape"],
)
def test_another_architecture_is_refused(checkpoint, config, tmp_path, change, said):
    tensors = load_file(checkpoint / "model.safetensors")
    change(tensors)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=said):
        read_policy(tmp_path / "model.safetensors", config, torch.float32)


def test_a_file_that_is_none_is_refused(config, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match="can't be read"):
        read_policy(tmp_path / "model.safetensors", config, torch.float32)
