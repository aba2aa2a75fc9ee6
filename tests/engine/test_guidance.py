"""Guidance in closed form gives lerobot's real-time chunking without its autograd."""

from __future__ import annotations

import pytest
import torch
from lerobot.configs.types import RTCAttentionSchedule
from lerobot.policies.rtc.configuration_rtc import RTCConfig
from lerobot.policies.rtc.modeling_rtc import RTCProcessor

from kuavo_train.engine.guidance import EulerSteps, Remainder, guidance_weight, prefix_weights

STEPS, CHUNK, DIMS = 10, 8, 32


@pytest.mark.parametrize(("delay", "horizon", "left"), [(0, 4, 6), (2, 5, 8), (3, 3, 3), (4, 9, 8)])
def test_all_steps_are_lerobots_without_its_autograd(delay: int, horizon: int, left: int) -> None:
    torch.manual_seed(0)
    x, rest = torch.randn(2, CHUNK, DIMS), torch.randn(2, left, 20)
    weight = torch.randn(DIMS, DIMS) / 6
    config = RTCConfig(
        enabled=True, prefix_attention_schedule=RTCAttentionSchedule.EXP, max_guidance_weight=10.0
    )
    euler = EulerSteps(STEPS, 2, CHUNK, DIMS, torch.device("cpu"))
    euler.guide(Remainder(rest, delay, horizon))
    mine = x
    for step in range(STEPS):
        guided = RTCProcessor(config).denoise_step(
            x_t=x, prev_chunk_left_over=rest, inference_delay=delay, time=1.0 - step / STEPS,
            original_denoise_step_partial=lambda at: at @ weight, execution_horizon=horizon,
        )  # fmt: skip
        x = x - guided / STEPS
        with torch.inference_mode():
            mine = euler.step(step, mine, mine @ weight)
    assert torch.allclose(mine, x, atol=1e-5)


def test_without_a_remainder_a_step_is_eulers_even_after_a_guided_chunk() -> None:
    euler = EulerSteps(STEPS, 1, CHUNK, DIMS, torch.device("cpu"))
    x, velocity = torch.randn(1, CHUNK, DIMS), torch.randn(1, CHUNK, DIMS)
    euler.guide(Remainder(torch.randn(1, 5, 20), 2, 4))
    euler.guide(None)
    for step in range(STEPS):
        assert torch.allclose(euler.step(step, x, velocity), x - velocity / STEPS)


def test_guidance_holds_the_executed_steps_and_frees_the_last() -> None:
    weights = prefix_weights(3, 7, 10)
    assert (weights[:3] == 1).all() and (weights[7:] == 0).all()
    assert (torch.diff(weights[2:8]) < 0).all()
    assert guidance_weight(1.0) == 10.0 and guidance_weight(0.0) == 0.0
