"""Phrases, states and actions as the policy reads them: tokens and normalized numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kuavo_deploy.robot.topics import ACTION_FEATURE, STATE_FEATURE
from kuavo_train.policy.normalization import Statistics


class Inputs:
    """The same numbers as lerobot's processor gives, for many short phrases at once.

    Args:
        tokenizer: the policy's.
        statistics: the chain's.
    """

    def __init__(self, tokenizer: Any, statistics: Statistics) -> None:
        self._tokenizer = tokenizer
        tensors = statistics.tensors()
        self._state, self._action = tensors[STATE_FEATURE], tensors[ACTION_FEATURE]

    def words(self, phrases: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Tokens and mask, both (N, longest)."""
        coded = self._tokenizer(
            [f"{phrase}\n" for phrase in phrases],
            padding=True,
            padding_side="right",
            return_tensors="pt",
        )
        return coded["input_ids"], coded["attention_mask"].bool()

    def states(self, states: Tensor) -> Tensor:
        """Robot units (…, 16) → normalized."""
        return (states - self._state["mean"]) / self._state["std"]

    def actions(self, actions: Tensor) -> Tensor:
        """Robot units (…, 20) → normalized."""
        return (actions - self._action["mean"]) / self._action["std"]

    def robot_actions(self, actions: Tensor) -> Tensor:
        """Normalized (…, 20) → robot units."""
        return actions * self._action["std"] + self._action["mean"]


def brightened(images: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Images (B, C, 3, S, S), each frame brighter, darker and tinted by up to `amount`."""
    factor = 1 + amount * (2 * torch.rand(len(images), 1, 3, 1, 1, generator=generator) - 1)
    return (images * factor).clamp(0, 1)
