"""lerobot's pre- and post-processor of a policy, with the chain's statistics inside."""

from __future__ import annotations

from typing import Any

from lerobot.policies.smolvla.processor_smolvla import make_smolvla_pre_post_processors

from kuavo_train.policy.normalization import Statistics, check


def make_processors(config: Any, statistics: Statistics) -> tuple[Any, Any]:
    """The two pipelines: raw batch → policy's batch, policy's actions → robot units.

    lerobot passes data through unnormalized where statistics are missing, so they are checked.
    """
    check(statistics, "normalization statistics")
    preprocessor, postprocessor = make_smolvla_pre_post_processors(config, statistics.tensors())
    return preprocessor, postprocessor


def tokenizer_of(preprocessor: Any) -> Any:
    """The tokenizer inside a preprocessor."""
    for step in preprocessor.steps:
        if hasattr(step, "input_tokenizer"):
            return step.input_tokenizer
    raise ValueError("the preprocessor has no tokenizer")
