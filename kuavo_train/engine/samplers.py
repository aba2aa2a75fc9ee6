"""Who computes a chunk: the engine, or lerobot's own sampler to compare with."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from lerobot.configs.types import RTCAttentionSchedule
from lerobot.policies.rtc.configuration_rtc import RTCConfig
from torch import Tensor

from kuavo_deploy.robot.topics import STATE_FEATURE
from kuavo_train.engine.engine import Engine
from kuavo_train.engine.guidance import MAX_GUIDANCE, Remainder
from kuavo_train.errors import TrainingError

FAST, STOCK = "fast", "stock"
INT8 = "int8"
ENGINES = (FAST, STOCK)
TOKENS, TOKEN_MASK = "observation.language.tokens", "observation.language.attention_mask"


class Sampler(Protocol):
    """Batches of the policy's preprocessor in, normalized actions out, shape (B, T, 20)."""

    def chunk(
        self, batch: dict[str, Any], noise: Tensor | None, remainder: Remainder | None
    ) -> Tensor:
        """One chunk per observation.

        Args:
            batch: images (B, 3, side, side) in 0…1, normalized states, tokens.
            noise: (B, T, 32), to start from instead of a random draw.
            remainder: to be continued.
        """

    def see(self, batch: dict[str, Any]) -> None:
        """Its first half, without a state; without images, those seen last are meant."""

    def act(self, state: Tensor, noise: Tensor | None, remainder: Remainder | None) -> Tensor:
        """Its second half."""

    @property
    def settled(self) -> bool:
        """Whether all later chunks will be as fast as the next one."""


class FastSampler:
    """The engine.

    Args:
        policy: lerobot's. precision, graphs, release: see `Engine`.
    """

    def __init__(
        self, policy: Any, precision: str, graphs: bool = False, release: bool = False
    ) -> None:
        self.engine = Engine(policy, precision, graphs=graphs, release=release)
        self._cameras = tuple(policy.config.image_features)
        self._dims = policy.config.action_feature.shape[0]

    def chunk(
        self, batch: dict[str, Any], noise: Tensor | None, remainder: Remainder | None
    ) -> Tensor:
        actions = self.engine.chunk(
            self._pixels(batch), batch[TOKENS], batch[TOKEN_MASK], batch[STATE_FEATURE], noise,
            remainder,
        )  # fmt: skip
        return self._own(actions)

    def see(self, batch: dict[str, Any]) -> None:
        shown = any(camera in batch for camera in self._cameras)
        pixels = self._pixels(batch) if shown else None
        self.engine.see(pixels, batch[TOKENS], batch[TOKEN_MASK])

    def act(self, state: Tensor, noise: Tensor | None, remainder: Remainder | None) -> Tensor:
        return self._own(self.engine.act(state, noise, remainder))

    @property
    def settled(self) -> bool:
        return self.engine.settled

    def _pixels(self, batch: dict[str, Any]) -> Tensor:
        return torch.stack([batch[camera] for camera in self._cameras], dim=1)

    def _own(self, actions: Tensor) -> Tensor:
        return actions[..., : self._dims].clone()  # outside inference mode: an ordinary tensor


class StockSampler:
    """lerobot's sampler and, for a remainder, its real-time chunking.

    Args:
        policy: lerobot's.
    """

    def __init__(self, policy: Any) -> None:
        self._policy = policy
        self._seen: dict[str, Any] = {}
        self.settled = True

    def see(self, batch: dict[str, Any]) -> None:
        """Nothing can be computed yet."""
        self._seen = {**self._seen, **batch}

    def act(self, state: Tensor, noise: Tensor | None, remainder: Remainder | None) -> Tensor:
        return self.chunk({**self._seen, STATE_FEATURE: state}, noise, remainder)

    def chunk(
        self, batch: dict[str, Any], noise: Tensor | None, remainder: Remainder | None
    ) -> Tensor:
        policy, guided = self._policy, {}
        if remainder is not None:
            self._guide(policy)
            horizon = remainder.horizon
            guided = {
                "prev_chunk_left_over": remainder.actions,
                "inference_delay": remainder.delay,
                "execution_horizon": remainder.actions.shape[-2] if horizon is None else horizon,
            }
        actions: Tensor = policy.predict_action_chunk(batch, noise=noise, **guided)
        return actions

    @staticmethod
    def _guide(policy: Any) -> None:
        if policy.config.rtc_config is None:
            policy.config.rtc_config = RTCConfig(
                enabled=True,
                prefix_attention_schedule=RTCAttentionSchedule.EXP,
                max_guidance_weight=MAX_GUIDANCE,
            )
            policy.init_rtc_processor()


def make_sampler(
    engine: str, policy: Any, precision: str, graphs: bool = False, release: bool = False
) -> Sampler:
    """By name.

    Args:
        engine: fast or stock.
        policy: lerobot's.
        precision: float32, bfloat16 or int8.
        graphs: see `Engine`.
        release: see `Engine`; lerobot's sampler needs the weights and keeps them.
    """
    if engine == FAST:
        return FastSampler(policy, precision, graphs, release)
    if engine != STOCK:
        raise TrainingError(f"engine is {engine!r}: choose from {', '.join(ENGINES)}")
    if precision == INT8:
        raise TrainingError("int8 needs engine='fast'")
    return StockSampler(policy)
