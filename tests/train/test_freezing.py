"""Freezing by rule: what is listed as trainable changes, everything else does not."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from kuavo_train.checkpoint.reader import load, open_checkpoint
from kuavo_train.policy.freezing import FreezingRule, apply_freezing, by_module

from .conftest import STAGES

VLM = "model.vlm_with_expert.vlm."


@pytest.fixture
def policy(trained):
    run, _ = trained
    return load(open_checkpoint(run.output / STAGES[0] / "best"), "cpu").policy


def parts(names):
    return set(by_module(names))


def test_expert_only(policy):
    names = apply_freezing(policy, FreezingRule(expert_only=True))
    assert not any(name.startswith(VLM) for name in names)
    assert {"action expert", "state_proj", "action_in_proj", "action_out_proj"} <= parts(names)


def test_bottom_layers(policy):
    names = apply_freezing(policy, FreezingRule(vlm_bottom_layers=1))
    assert "VLM layer 0" not in parts(names)
    assert "VLM layer 1" in parts(names)
    assert not any("embed_tokens" in n or "vision_model" in n for n in names)


def test_vision_encoder(policy):
    names = apply_freezing(policy, FreezingRule(vision_encoder=False, connector=False))
    assert any("vision_model" in name for name in names)
    assert any("connector" in name for name in names)


@pytest.mark.parametrize(
    "rule",
    [
        FreezingRule(vision_encoder=False, connector=False),
        FreezingRule(vlm_bottom_layers=1),
        FreezingRule(expert_only=True),
    ],
    ids=["nothing", "bottom", "expert"],
)
def test_everything_listed_gets_a_gradient(policy, rule):
    """DDP refuses parameters without one; stock's rule for the last layer matches no name."""
    names = apply_freezing(policy, rule)
    images = [torch.rand(2, 3, 32, 32) for _ in range(3)]
    masks = [torch.ones(2, dtype=torch.bool) for _ in range(3)]
    tokens, mask = torch.randint(9, 50, (2, 8)), torch.ones(2, 8, dtype=torch.bool)
    state, actions = torch.randn(2, 32), torch.randn(2, 6, 32)
    policy.model.forward(images, masks, tokens, mask, state, actions).sum().backward()
    without = [n for n, p in policy.named_parameters() if n in set(names) and p.grad is None]
    assert without == []
    frozen = [n for n, p in policy.named_parameters() if n not in set(names) and p.grad is not None]
    assert frozen == []


def test_the_list_is_stored_logged_and_true(trained, curriculum, base_model):
    """After a stage exactly the listed tensors differ from the parent's."""
    curriculum.train("task1_moving_grasp", "freezing=bottom_layers", "freezing.vlm_bottom_layers=1")
    folder = curriculum.output / "task1_moving_grasp"
    listed = json.loads((folder / "training_results.json").read_text())["trainable"]
    assert (
        json.loads((folder / "best" / "manifest.json").read_text())["lineage"]["trainable"]
        == listed
    )
    log = (curriculum.output / "training.log").read_text()
    assert "trainable: VLM layer 1" in log
    assert f"trainable tensors: {' '.join(listed)}\n" in log
    before = load_file(base_model / "model.safetensors")
    after = load_file(folder / "resume" / "model.safetensors")
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed == set(listed)


def test_the_guides_default_freezes_the_bottom_of_the_vlm(curriculum):
    config = curriculum.config("task1_moving_grasp", "freezing=bottom_layers")
    assert config.freezing.vlm_bottom_layers > 0
    assert config.freezing.vision_encoder
