"""The numbers of an architecture, read from a loaded policy.

Letters in all files here: B batch, C cameras, P prefix tokens without the state, S sequence,
T steps of a chunk, H heads, G key-value heads, D head's width, E model's width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kuavo_train.errors import TrainingError


class EngineUnsupported(TrainingError):
    """The engine does not compute this architecture; `engine="stock"` does."""


@dataclass(frozen=True)
class Shapes:
    """Counts and widths.

    cameras: C. side: of a square image [px]. image_tokens: of one camera.
    language_tokens: the instruction's recorded length. heads: H. kv_heads: G. head_dim: D.
    chunk: T. action_dim, state_dim: padded. steps: of denoising. cross: by layer, whether the
    expert looks at the prefix alone (else at itself too).
    """

    cameras: int
    side: int
    image_tokens: int
    language_tokens: int
    heads: int
    kv_heads: int
    head_dim: int
    chunk: int
    action_dim: int
    state_dim: int
    steps: int
    cross: tuple[bool, ...]

    @classmethod
    def of(cls, policy: Any) -> Shapes:
        """Read them.

        Args:
            policy: lerobot's `SmolVLAPolicy`.

        Raises:
            EngineUnsupported: an option that the engine does not compute.
        """
        config, expert = policy.config, policy.model.vlm_with_expert
        _check(config, expert)
        text, vision = expert.config.text_config, expert.config.vision_config
        side = int(config.resize_imgs_with_padding[0])
        patches = (side // vision.patch_size) ** 2
        every, mode = config.self_attn_every_n_layers, config.attention_mode
        return cls(
            cameras=len(config.image_features),
            side=side,
            image_tokens=patches // expert.config.scale_factor**2,
            language_tokens=config.tokenizer_max_length,
            heads=text.num_attention_heads,
            kv_heads=text.num_key_value_heads,
            head_dim=text.head_dim,
            chunk=config.chunk_size,
            action_dim=config.max_action_dim,
            state_dim=config.max_state_dim,
            steps=config.num_steps,
            cross=tuple(
                "cross" in mode and not (every > 0 and layer % every == 0)
                for layer in range(expert.num_vlm_layers)
            ),
        )


def _check(config: Any, expert: Any) -> None:
    size = config.resize_imgs_with_padding
    wrong = [
        text
        for text, found in (
            ("images that are not letterboxed to a square", not size or size[0] != size[1]),
            ("empty cameras", bool(config.empty_cameras)),
            ("an image's own tokens", bool(config.add_image_special_tokens)),
            ("Aloha's units", bool(config.adapt_to_pi_aloha)),
            ("fewer expert than VLM layers", expert.num_vlm_layers != expert.num_expert_layers),
            ("another activation", not _activations_known(expert.config)),
            ("biases in the language model", bool(expert.config.text_config.attention_bias)),
        )
        if found
    ]
    if wrong:
        raise EngineUnsupported(
            f"the inference engine does not compute {', '.join(wrong)}: use engine='stock'"
        )


def _activations_known(config: Any) -> bool:
    return (config.vision_config.hidden_act, config.text_config.hidden_act) == (
        "gelu_pytorch_tanh",
        "silu",
    )
