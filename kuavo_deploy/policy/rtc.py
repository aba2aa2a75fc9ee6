"""Real-time chunking's guidance in closed form (arXiv 2506.07339), without autograd.

lerobot's version takes the gradient of x − t·v with respect to x, but v was computed before x
asked for gradients: the gradient is the identity and the correction is the weighted error itself.
Written so, there is nothing to back-propagate, it works under inference mode, and the result is
the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from lerobot.policies.rtc.configuration_rtc import RTCConfig
from torch import Tensor

MAX_GUIDANCE = 10.0


def prefix_weights(delay: int, horizon: int, size: int) -> Tensor:
    """How strongly each step of the new chunk is held to the old one, shape (size,).

    1 for the steps that will have been executed (`delay`), falling exponentially to 0 at
    `horizon`, 0 after it.
    """
    delay = min(delay, horizon)
    weights = torch.zeros(size)
    weights[:delay] = 1.0
    between = horizon - delay
    if between > 0:
        fall = torch.linspace(1, 0, between + 2)[1:-1]
        weights[delay:horizon] = fall * torch.expm1(fall) / (math.e - 1)
    return weights


def guidance_weight(time: float) -> float:
    """Of the correction at flow time `time` (1: noise … 0: data)."""
    tau = 1.0 - time
    if tau <= 0.0:
        return MAX_GUIDANCE
    if time <= 0.0:
        return 0.0
    spread = (time**2 + tau**2) / time**2
    return min(time / tau * spread, MAX_GUIDANCE)


class ClosedFormGuidance:
    """Stands in lerobot's sampler where its `RTCProcessor` would."""

    def is_debug_enabled(self) -> bool:
        """Asked by the sampler."""
        return False

    def denoise_step(
        self,
        x_t: Tensor,
        prev_chunk_left_over: Tensor | None,
        inference_delay: int | None,
        time: float,
        original_denoise_step_partial: Callable[[Tensor], Tensor],
        execution_horizon: int | None = None,
    ) -> Tensor:
        """The guided velocity, shape (B, T, D), at one step of the sampler.

        Args:
            x_t: shape (B, T, D).
            prev_chunk_left_over: shape (B, K, d), K ≤ T, d ≤ D, or None.
            inference_delay: steps that will have been executed.
            time: flow time, 1 … 0.
            original_denoise_step_partial: x_t → velocity.
            execution_horizon: steps from which on the chunk is free, at most K.
        """
        velocity = original_denoise_step_partial(x_t)
        if prev_chunk_left_over is None:
            return velocity
        steps, dims = prev_chunk_left_over.shape[1:]
        horizon = min(execution_horizon or steps, steps)
        weights = prefix_weights(inference_delay or 0, horizon, steps).to(x_t)[:, None]
        estimate = x_t[:, :steps, :dims] - time * velocity[:, :steps, :dims]
        error = (prev_chunk_left_over.to(x_t) - estimate) * weights
        guided = velocity.clone()
        guided[:, :steps, :dims] -= guidance_weight(time) * error
        return guided


def prepare_sampler(policy: Any) -> None:
    """Make lerobot's SmolVLA sampler ask for guidance; without a remainder it samples as before."""
    policy.config.rtc_config = RTCConfig(enabled=True)
    policy.model.config.rtc_config = policy.config.rtc_config
    policy.model.rtc_processor = ClosedFormGuidance()
