"""How much arithmetic a chunk is, from the architecture: what the roofline is drawn from.

Only products are counted (2 operations per multiply-add), with what is known before the first step
computed once: cross-attention keys and values, the last prefix layer's keys and values alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Work:
    """Of one chunk: operations of each part, and bytes of float32 weights that it reads.

    Denoising reads the expert's weights once per step.
    """

    vision: float
    prefix: float
    denoising: float
    vision_weights: float
    prefix_weights: float
    expert_weights: float
    steps: int

    @property
    def flop(self) -> float:
        """Altogether."""
        return self.vision + self.prefix + self.denoising

    def read(self, width: int = 4) -> float:
        """Weights read in one chunk [byte], at `width` bytes a number."""
        steps = self.steps * self.expert_weights
        return width * (self.vision_weights + self.prefix_weights + steps)


def work_of(policy: Any, instruction: int) -> Work:
    """Of a policy.

    Args:
        policy: lerobot's.
        instruction: tokens of the instruction.
    """
    config, model = policy.config, policy.model.vlm_with_expert
    vision, text = model.config.vision_config, model.config.text_config
    patches = (config.resize_imgs_with_padding[0] // vision.patch_size) ** 2
    cameras = len(config.image_features)
    width, hidden = vision.hidden_size, vision.intermediate_size
    layer = 4 * width * width + 2 * width * hidden
    merged = width * model.config.scale_factor**2 * text.hidden_size
    image_tokens = patches // model.config.scale_factor**2
    see = cameras * (
        patches * (vision.num_hidden_layers * (layer + 2 * patches * width)
                   + 3 * vision.patch_size**2 * width)
        + image_tokens * merged
    )  # fmt: skip
    heads = text.num_attention_heads * text.head_dim
    kv = text.num_key_value_heads * text.head_dim
    tokens = cameras * image_tokens + instruction + 1
    e = text.hidden_size
    decoder = e * (2 * heads + 2 * kv) + 3 * e * text.intermediate_size
    layers = model.num_vlm_layers
    read = tokens * ((layers - 1) * (decoder + 2 * tokens * heads) + 2 * e * kv)
    small, inner = model.expert_hidden_size, model.lm_expert.config.intermediate_size
    crossed = sum(_is_cross(config, index) for index in range(layers))
    block = 2 * small * heads + 3 * small * inner
    own = (layers - crossed) * (2 * small * kv + 2 * config.chunk_size * heads)
    ends = small * (2 * config.max_action_dim + small)
    step = config.chunk_size * (layers * (block + 2 * tokens * heads) + own + ends)
    cross_kv = crossed * tokens * 2 * kv * kv
    return Work(
        2.0 * see, 2.0 * (read + cross_kv), 2.0 * config.num_steps * step,
        vision.num_hidden_layers * layer + merged, (layers - 1) * decoder + 2 * e * kv,
        layers * block + (layers - crossed) * 2 * small * kv + ends, config.num_steps,
    )  # fmt: skip


def _is_cross(config: Any, index: int) -> bool:
    every = config.self_attn_every_n_layers
    return "cross" in config.attention_mode and not (every > 0 and index % every == 0)
