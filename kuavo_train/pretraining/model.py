"""A SmolVLA that looks at each frame once and answers several queries about it.

The image encoder is most of a step's work, so a frame's image tokens are computed once and shared
by its queries; a query's keys and values are computed once and shared by several noise samples.
Same modules and numbers as lerobot's own forward (a test compares them).

Shapes: B frames, Q queries each, C cameras, G image tokens a camera, R noise samples a query.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from lerobot.policies.smolvla.modeling_smolvla import make_att_2d_masks, pad_vector
from torch import Tensor, nn

from kuavo_train.policy.action_space import UNIFIED_DIM
from kuavo_train.policy.attention import attend
from kuavo_train.policy.flow_loss import Draws
from kuavo_train.pretraining.heads import ClassHead, Pointed, PointingHead, VoteHead
from kuavo_train.pretraining.phrases import MENTIONS


class Seen(NamedTuple):
    """tokens: (B, C, G, D) image tokens; patches: (B·C, P, V) the encoder's output."""

    tokens: Tensor
    patches: Tensor


class Read(NamedTuple):
    """A prefix as the expert reads it. cache: keys and values per layer. mask: (N, L) bool."""

    cache: dict[int, dict[str, Tensor]]
    mask: Tensor
    pointed: Pointed


class PretrainingModel(nn.Module):
    """The policy and its auxiliary heads.

    Args:
        policy: lerobot's SmolVLAPolicy.
        classes: how many kinds of pixels there are.
    """

    def __init__(self, policy: Any, classes: int) -> None:
        super().__init__()
        self.policy = policy
        joined = policy.model.vlm_with_expert
        joined.eager_attention_forward = attend
        vision = joined.config.vision_config
        self.patch = int(vision.patch_size)
        self.side = int(vision.image_size) // self.patch // int(joined.config.scale_factor)
        self.pointing = PointingHead(
            int(joined.config.text_config.hidden_size), self.side, MENTIONS
        )
        self.votes = VoteHead(
            int(joined.config.text_config.hidden_size), self.side, int(joined.config.scale_factor)
        )
        self.classes = ClassHead(int(vision.hidden_size), classes)

    @property
    def _joined(self) -> Any:
        return self.policy.model.vlm_with_expert

    def look(self, images: Tensor) -> Seen:
        """Encode frames. images: (B, C, 3, S, S) in 0…1."""
        vlm = self._joined.get_vlm_model()
        flat = images.flatten(0, 1) * 2 - 1
        patches = vlm.vision_model(pixel_values=flat, patch_attention_mask=None).last_hidden_state
        tokens = vlm.connector(patches)
        tokens = tokens * math.sqrt(tokens.shape[-1])
        return Seen(tokens.unflatten(0, images.shape[:2]), patches)

    def read(self, seen: Seen, words: Tensor, word_mask: Tensor, states: Tensor) -> Read:
        """Run the VLM over every query.

        Args:
            seen: of B frames.
            words: (B·Q, W) tokens.
            word_mask: (B·Q, W) bool, which of them are words.
            states: (B·Q, 16), normalized.
        """
        model = self.policy.model
        queries = len(words) // len(seen.tokens)
        cameras, grid = seen.tokens.shape[1:3]
        image = seen.tokens.flatten(1, 2).repeat_interleave(queries, dim=0)
        spoken = self._joined.embed_language_tokens(words)
        spoken = spoken * math.sqrt(spoken.shape[-1])
        state = model.state_proj(pad_vector(states, self.policy.config.max_state_dim))[:, None]
        prefix = torch.cat([image, spoken, state], dim=1)
        ones = torch.ones(len(words), image.shape[1] + 1, dtype=torch.bool, device=words.device)
        mask = torch.cat([ones[:, 1:], word_mask, ones[:, :1]], dim=1)
        turn = torch.zeros(prefix.shape[1], dtype=torch.bool, device=words.device)
        turn[-1] = True  # the state sees images and words, they don't see it
        attention = make_att_2d_masks(mask, turn.expand(len(words), -1))
        features: list[Tensor] = []
        last = self._joined.get_vlm_model().text_model.layers[-1].input_layernorm
        hook = last.register_forward_pre_hook(lambda _, given: features.append(given[0]))
        try:
            _, cache = self._joined.forward(
                attention_mask=attention,
                position_ids=torch.cumsum(mask, dim=1) - 1,
                past_key_values=None,
                inputs_embeds=[prefix, None],
                use_cache=True,
                fill_kv_cache=True,
            )
        finally:
            hook.remove()
        # what the last layer's keys and values are made of: the expert can use all of it
        at_images = features[0][:, : cameras * grid].unflatten(1, (cameras, grid))
        return Read(cache, mask, self.pointing(at_images))

    def flow_errors(self, read: Read, rows: Tensor, actions: Tensor, draws: Draws) -> Tensor:
        """Squared errors of the velocity.

        Args:
            read: the prefixes.
            rows: (M,) which queries have actions.
            actions: (M, T, 20), normalized.
            draws: noise (R·M, T, 32) and times (R·M,).

        Returns:
            Shape (R·M, T, 20).
        """
        repeats = len(draws.time) // len(rows)
        rows = rows.repeat(repeats)
        target = pad_vector(actions.repeat(repeats, 1, 1), self.policy.config.max_action_dim)
        time = draws.time[:, None, None]
        noisy = time * draws.noise + (1 - time) * target
        cache = {
            layer: {name: tensor[rows] for name, tensor in pair.items()}
            for layer, pair in read.cache.items()
        }
        velocity = self.policy.model.denoise_step(
            prefix_pad_masks=read.mask[rows], past_key_values=cache, x_t=noisy, timestep=draws.time
        )
        error: Tensor = velocity - (draws.noise - target)
        return error.square()[..., :UNIFIED_DIM]

    def auxiliary_names(self) -> Sequence[str]:
        """Parameters that the stored policy does not have."""
        return [name for name, _ in self.named_parameters() if not name.startswith("policy.")]
