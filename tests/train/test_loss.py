"""The loss counts what was recorded: inside the episode, the robot's dimensions, nothing else."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from kuavo_train.policy.action_space import UNIFIED_DIM, recorded_dims, silence_padding
from kuavo_train.policy.flow_loss import FlowLoss, counted_elements, draw
from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper

from .conftest import STAGES


@pytest.fixture(scope="module")
def wrapper(trained):
    run, _ = trained
    return SmolVLAPolicyWrapper.from_pretrained(run.output / STAGES[3] / "best", device="cpu")


@pytest.fixture
def batch(wrapper, tasks):
    generator = torch.Generator().manual_seed(0)
    count, steps = 3, wrapper.chunk_size
    batch = wrapper.preprocess(
        {
            **{name: torch.rand(count, 3, 24, 32, generator=generator) for name in wrapper.cameras},
            "observation.state": torch.randn(count, 16, generator=generator),
            "task": [tasks["weighing"].instruction] * count,
        }
    )
    batch["action"] = torch.randn(count, steps, UNIFIED_DIM, generator=generator)
    return batch


def loss(wrapper, batch, is_pad, dims=None, seed=0):
    count, steps = is_pad.shape
    dims = torch.ones(UNIFIED_DIM, dtype=torch.bool) if dims is None else dims
    counted = counted_elements(is_pad, dims)
    with torch.no_grad():
        sums = FlowLoss(wrapper.policy)(batch, draw(count, steps, 32, seed), counted)
    return float(sums.sum() / counted.sum())


def test_actions_past_the_episodes_end_do_not_count(wrapper, batch):
    """Same key as the data's, `action_is_pad`: garbage under the mask changes nothing."""
    is_pad = torch.zeros(3, wrapper.chunk_size, dtype=torch.bool)
    whole = loss(wrapper, batch, is_pad)
    is_pad[:, -2:] = True
    masked = loss(wrapper, batch, is_pad)
    assert masked != pytest.approx(whole, rel=1e-4)
    # Recompute by hand from the unreduced errors of lerobot's model.
    draws = draw(3, wrapper.chunk_size, 32, 0)
    policy = wrapper.policy
    with torch.no_grad():
        errors = policy.model.forward(
            *policy.prepare_images(batch),
            batch["observation.language.tokens"],
            batch["observation.language.attention_mask"],
            policy.prepare_state(batch),
            policy.prepare_action(batch),
            draws.noise,
            draws.time,
        )
    assert masked == pytest.approx(float(errors[:, :-2, :UNIFIED_DIM].mean()), rel=1e-5)


def test_only_the_tasks_dimensions_count(wrapper, batch):
    is_pad = torch.zeros(3, wrapper.chunk_size, dtype=torch.bool)
    standing = loss(wrapper, batch, is_pad, recorded_dims(16))
    batch["action"][..., 16:] += 5
    assert loss(wrapper, batch, is_pad, recorded_dims(20)) > standing + 1


def test_padded_dimensions_are_zero_and_stay_zero_through_four_stages(trained):
    run, _ = trained
    for stage in STAGES:
        weights = load_file(run.output / stage / "best" / "model.safetensors")
        assert not weights["model.action_in_proj.weight"][:, UNIFIED_DIM:].any()
        assert not weights["model.action_out_proj.weight"][UNIFIED_DIM:].any()
        assert not weights["model.action_out_proj.bias"][UNIFIED_DIM:].any()
        assert weights["model.action_in_proj.weight"][:, :UNIFIED_DIM].any()


def test_noise_in_padded_dimensions_cannot_reach_the_robot(wrapper, batch):
    noise = torch.randn(3, wrapper.chunk_size, 32)
    other = noise.clone()
    other[..., UNIFIED_DIM:] = 100 * torch.randn(3, wrapper.chunk_size, 32 - UNIFIED_DIM)
    del batch["action"]
    same = wrapper.policy.predict_action_chunk(dict(batch), noise=noise)
    assert torch.equal(same, wrapper.policy.predict_action_chunk(dict(batch), noise=other))


def test_silencing_touches_nothing_else(wrapper):
    before = {k: v.clone() for k, v in wrapper.policy.state_dict().items()}
    silence_padding(wrapper.policy.model)
    assert all(torch.equal(v, before[k]) for k, v in wrapper.policy.state_dict().items())


def test_draws_are_a_function_of_the_seed_alone():
    torch.manual_seed(1)
    one = draw(4, 6, 32, 7, 3)
    torch.manual_seed(2)
    two = draw(4, 6, 32, 7, 3)
    assert torch.equal(one.noise, two.noise)
    assert torch.equal(one.time, two.time)
    assert not torch.equal(one.noise, draw(4, 6, 32, 7, 4).noise)


def test_times_follow_smolvlas_distribution():
    time = draw(20000, 1, 20, 0).time
    assert float(time.min()) >= 0.001
    assert float(time.max()) <= 1.0
    assert float(time.mean()) == pytest.approx(0.6 * 0.999 + 0.001, abs=0.005)
