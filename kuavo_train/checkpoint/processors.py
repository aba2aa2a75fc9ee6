"""lerobot's pre- and post-processor of a policy, with the chain's statistics inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lerobot.policies.smolvla.processor_smolvla import make_smolvla_pre_post_processors
from torch import Tensor

from kuavo_deploy.robot.topics import ACTION_FEATURE, STATE_FEATURE
from kuavo_train.policy.normalization import Statistics, check
from kuavo_train.policy.relative import to_absolute, to_relative


class Preprocessor:
    """Raw batch → the policy's batch.

    Args:
        pipeline: lerobot's.
        statistics: the chain's.
    """

    def __init__(self, pipeline: Any, statistics: Statistics) -> None:
        self.pipeline = pipeline
        self.steps = pipeline.steps
        self._relative, self._growth = statistics.relative, statistics.growth
        self._actions = statistics.tensors()[ACTION_FEATURE]

    def __call__(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Keys and values as a dataset or a robot gives them, with a batch dimension."""
        batch = dict(raw)
        if self._relative and ACTION_FEATURE in batch:
            batch[ACTION_FEATURE] = to_relative(
                batch[ACTION_FEATURE], batch[STATE_FEATURE], self._growth
            )
        prepared: dict[str, Any] = self.pipeline(batch)
        return prepared

    @property
    def normalizer(self) -> Any:
        """The pipeline's step that normalizes."""
        return next(step for step in self.steps if hasattr(step, "_normalize_action"))

    def own_scale(self, actions: Tensor, states: Tensor) -> Tensor:
        """Actions in the scale of `normalize_actions`, (K, 20) or (B, K, 20) → as it samples them.

        states: that the chunk is planned at, robot units, (B, 16).
        """
        if not self._relative:
            return actions
        mean, std = (self._actions[name].to(actions) for name in ("mean", "std"))
        absolute = actions.expand(len(states), -1, -1) * std + mean
        return (to_relative(absolute, states, self._growth) - mean) / std


class Postprocessor:
    """The policy's actions → robot units, float32 on the CPU."""

    def __init__(self, pipeline: Any, statistics: Statistics) -> None:
        self.pipeline = pipeline
        self._relative, self._growth = statistics.relative, statistics.growth

    def __call__(self, chunk: Tensor, states: Tensor) -> Tensor:
        """Chunks (…, T, 20) that were planned at states (…, 16) in robot units."""
        actions: Tensor = self.pipeline(chunk)
        return to_absolute(actions, states.cpu(), self._growth) if self._relative else actions


def make_processors(config: Any, statistics: Statistics) -> tuple[Preprocessor, Postprocessor]:
    """Both, for a policy's configuration.

    lerobot passes data through unnormalized where statistics are missing, so they are checked.
    """
    check(statistics, "normalization statistics")
    before, after = make_smolvla_pre_post_processors(config, statistics.tensors())
    return Preprocessor(before, statistics), Postprocessor(after, statistics)


def tokenizer_of(preprocessor: Any) -> Any:
    """The tokenizer inside a preprocessor."""
    for step in preprocessor.steps:
        if hasattr(step, "input_tokenizer"):
            return step.input_tokenizer
    raise ValueError("the preprocessor has no tokenizer")
