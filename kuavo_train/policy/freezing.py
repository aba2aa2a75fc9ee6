"""Which parameters a stage trains: by rule, listed, stored and checkable.

Always frozen are the parts of the VLM that the action never sees (its last layer beyond keys and
values, final norm, language head): they get no gradient, and DDP refuses such parameters. lerobot
0.4.4 means to freeze the last layer too, but its rule matches no name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import nn

from kuavo_train.errors import TrainingError

VLM_PREFIX = "model.vlm_with_expert.vlm."
_LAYER = re.compile(re.escape(VLM_PREFIX) + r"model\.text_model\.layers\.(\d+)\.(.+)")
_LAST_LAYER_IN_USE = ("input_layernorm", "self_attn.k_proj", "self_attn.v_proj")


@dataclass(frozen=True)
class FreezingRule:
    """What stays as the parent left it.

    vision_encoder: the image encoder. connector: from image to language tokens.
    vlm_bottom_layers: K lowest layers of the language model; with K > 0 the word embeddings too.
    expert_only: the whole VLM; only the action expert and its projections learn.
    """

    vision_encoder: bool = True
    connector: bool = True
    vlm_bottom_layers: int = 0
    expert_only: bool = False


def apply_freezing(policy: Any, rule: FreezingRule) -> list[str]:
    """Set `requires_grad` of every parameter.

    Returns:
        The names of the trainable ones, in order.
    """
    layers = len(policy.model.vlm_with_expert.get_vlm_model().text_model.layers)
    if not 0 <= rule.vlm_bottom_layers <= layers:
        raise TrainingError(
            f"freezing.vlm_bottom_layers is {rule.vlm_bottom_layers}, the VLM has {layers} layers"
        )
    trainable = []
    for name, parameter in policy.named_parameters():
        parameter.requires_grad = not _frozen(name, rule, layers)
        if parameter.requires_grad:
            trainable.append(name)
    # lerobot keeps frozen parts in evaluation mode by these two.
    policy.model.vlm_with_expert.freeze_vision_encoder = rule.vision_encoder or rule.expert_only
    policy.model.vlm_with_expert.train_expert_only = rule.expert_only
    policy.config.freeze_vision_encoder = rule.vision_encoder or rule.expert_only
    policy.config.train_expert_only = rule.expert_only
    return trainable


def summary(policy: nn.Module) -> str:
    """One line: how much is trained."""
    total = sum(p.numel() for p in policy.parameters())
    trained = sum(p.numel() for p in policy.parameters() if p.requires_grad)
    return f"{trained:,} of {total:,} parameters are trained ({100 * trained / total:.1f} %)"


def by_module(names: list[str]) -> dict[str, int]:
    """How many trainable tensors each part of the policy has, for the log."""
    counts: dict[str, int] = {}
    for name in names:
        layer = _LAYER.match(name)
        if layer:
            part = f"VLM layer {layer.group(1)}"
        elif "lm_expert" in name:
            part = "action expert"
        elif name.startswith(VLM_PREFIX):
            part = "VLM " + name[len(VLM_PREFIX) :].split(".")[1]
        else:
            part = name.split(".")[1]
        counts[part] = counts.get(part, 0) + 1
    return counts


def _frozen(name: str, rule: FreezingRule, layers: int) -> bool:
    if not name.startswith(VLM_PREFIX):
        return False
    if rule.expert_only or name.startswith(VLM_PREFIX + "lm_head"):
        return True
    inner = name[len(VLM_PREFIX) :]
    if inner.startswith("model.vision_model."):
        return rule.vision_encoder
    if inner.startswith("model.connector."):
        return rule.connector
    layer = _LAYER.match(name)
    if layer:
        index, part = int(layer.group(1)), layer.group(2)
        return index < rule.vlm_bottom_layers or (
            index == layers - 1 and not part.startswith(_LAST_LAYER_IN_USE)
        )
    if inner.startswith("model.text_model.embed_tokens"):
        return rule.vlm_bottom_layers > 0
    return True  # the final norm: the action reads keys and values, not the output
