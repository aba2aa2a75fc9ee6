"""lerobot's SmolVLA beside what was computed before: two places where a cached value may come in.

* `embed_image` also takes an image that the frozen vision part has already seen.
* Training reads the prefix's keys and values from the cache, and only the state's token goes
  through the VLM, because its projection learns. lerobot has this for its self-attention layers;
  its cross-attention layers know a cached prefix *or* live tokens. Here they know both.

Exact, because image and language tokens never attend to the state. The model's own modules do all
the work; no weight is touched. Shapes: B samples, P prefix tokens without the state's, T steps of
a chunk, L layers, H key/value heads of D numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from lerobot.policies.smolvla.modeling_smolvla import make_att_2d_masks
from lerobot.policies.smolvla.smolvlm_with_expert import apply_rope
from torch import Tensor

from kuavo_train.policy.attention import fused_attention

TOKENS, TOKENS_MASK = "observation.language.tokens", "observation.language.attention_mask"
PREFIX = "observation.cached_prefix"
_SEEN = "observation.cached_"


def teach(policy: Any) -> None:
    """Let a policy take cached values; without them it computes as before."""
    inner = policy.model.vlm_with_expert
    attend, embed = inner.forward_cross_attn_layer, inner.embed_image

    def cross_attention(model_layers: Any, inputs_embeds: Any, layer_idx: int, *rest: Any,
                        **named: Any) -> Any:  # fmt: skip
        state = inputs_embeds[0]
        if state is None or not named["past_key_values"] or named["fill_kv_cache"]:
            return attend(model_layers, inputs_embeds, layer_idx, *rest, **named)
        return _beside_cache(inner, attend, model_layers, inputs_embeds, layer_idx, *rest, **named)

    def embed_image(image: Tensor) -> Tensor:
        is_image = image.ndim == 4
        embedded: Tensor = embed(image) if is_image else after_vision(policy, image)
        return embedded

    inner.forward_cross_attn_layer = cross_attention
    inner.embed_image = embed_image


def seen_name(camera: str) -> str:
    """The batch's key for what the frozen vision part made of a camera's image."""
    return _SEEN + camera.rpartition(".")[2]


def seen_images(policy: Any, batch: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]] | None:
    """Cached images and their masks as `prepare_images` would give them; None: not cached."""
    names = [seen_name(camera) for camera in policy.config.image_features]
    if names[0] not in batch:
        return None
    images = [batch[name] for name in names]
    return images, [torch.ones(len(i), dtype=torch.bool, device=i.device) for i in images]


def connector_is_frozen(policy: Any) -> bool:
    """Whether the frozen vision part ends behind the connector, or before it."""
    connector = policy.model.vlm_with_expert.get_vlm_model().connector
    return not any(p.requires_grad for p in connector.parameters())


@torch.no_grad()
def seen(policy: Any, image: Tensor) -> Tensor:
    """What the frozen vision part makes of a prepared image. Shape (B, tokens, width)."""
    vlm = policy.model.vlm_with_expert.get_vlm_model()
    pixels = image.to(vlm.vision_model.dtype)
    hidden: Tensor = vlm.vision_model(pixel_values=pixels, patch_attention_mask=None)[0]
    if connector_is_frozen(policy):
        hidden = vlm.connector(hidden)
    return hidden


def after_vision(policy: Any, hidden: Tensor) -> Tensor:
    """What is left to do to the value of `seen`."""
    if connector_is_frozen(policy):
        return hidden
    embedded: Tensor = policy.model.vlm_with_expert.get_vlm_model().connector(hidden)
    return embedded


@torch.no_grad()
def prefix(policy: Any, batch: dict[str, Any]) -> Tensor:
    """Keys and values of images and instruction. Shape (B, L, 2, P, H, D)."""
    model = policy.model
    images, image_masks = policy.prepare_images(batch)
    embedded = model.embed_prefix(
        images, image_masks, batch[TOKENS], batch[TOKENS_MASK], state=policy.prepare_state(batch)
    )
    tokens, pad, attention = (part[:, :-1] for part in embedded)  # the last one is the state
    _, kept = model.vlm_with_expert.forward(
        attention_mask=make_att_2d_masks(pad, attention),
        position_ids=torch.cumsum(pad, dim=1) - 1,
        past_key_values=None,
        inputs_embeds=[tokens, None],
        use_cache=True,
        fill_kv_cache=True,
    )
    layers = [
        torch.stack([kept[i]["key_states"], kept[i]["value_states"]], dim=1) for i in sorted(kept)
    ]
    return torch.stack(layers, dim=1)


def errors_beside_prefix(
    policy: Any, kept: Tensor, batch: dict[str, Any], noise: Tensor, time: Tensor
) -> Tensor:
    """Squared velocity errors, as lerobot's `forward` gives them. Shape (B, T, 32).

    Args:
        policy: taught.
        kept: of `prefix`, (B, L, 2, P, H, D).
        batch: preprocessed, without images.
        noise: (B, T, 32).
        time: (B,).
    """
    model = policy.model
    kept = kept.to(model.vlm_with_expert.vlm.dtype)
    actions = policy.prepare_action(batch)
    mixed = time[:, None, None] * noise + (1 - time[:, None, None]) * actions
    state = model.state_proj(policy.prepare_state(batch))[:, None]
    chunk, chunk_pad, chunk_attention = model.embed_suffix(mixed, time)
    count, past = kept.shape[0], kept.shape[3]
    images = past - batch[TOKENS_MASK].shape[1]
    pad = torch.cat(
        [kept.new_ones(count, images, dtype=torch.bool), batch[TOKENS_MASK].bool(),
         kept.new_ones(count, 1, dtype=torch.bool), chunk_pad], dim=1
    )  # fmt: skip
    attention = torch.cat(
        [kept.new_zeros(count, past, dtype=chunk_attention.dtype),
         kept.new_ones(count, 1, dtype=chunk_attention.dtype), chunk_attention], dim=1
    )  # fmt: skip
    cached = {
        i: {"key_states": kept[:, i, 0], "value_states": kept[:, i, 1]}
        for i in range(kept.shape[1])
    }
    with fused_attention(model.vlm_with_expert):
        (_, out), _ = model.vlm_with_expert.forward(
            attention_mask=make_att_2d_masks(pad, attention)[:, past:],
            position_ids=(torch.cumsum(pad, dim=1) - 1)[:, past:],
            past_key_values=cached,
            inputs_embeds=[state, chunk],
            use_cache=True,
            fill_kv_cache=False,
        )
    velocity = model.action_out_proj(out.to(torch.float32))
    return torch.nn.functional.mse_loss(noise - actions, velocity, reduction="none")


def _beside_cache(
    inner: Any,
    attend: Any,
    model_layers: Any,
    inputs_embeds: Any,
    layer_idx: int,
    position_ids: Tensor,
    attention_mask: Tensor,
    batch_size: int,
    head_dim: int,
    past_key_values: Any,
    **_: Any,
) -> Any:
    """A cross-attention layer with live tokens behind a cached prefix.

    The live tokens attend to the prefix and to themselves; the expert to both.
    """
    live, chunk = inputs_embeds
    layer = model_layers[0][layer_idx]
    attention = layer.self_attn
    count = live.shape[1]
    hidden = layer.input_layernorm(live).to(attention.q_proj.weight.dtype)
    query, key, value = (
        project(hidden).view(*hidden.shape[:-1], -1, attention.head_dim)
        for project in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    own = position_ids[:, :count]
    cached = past_key_values[layer_idx]
    keys = torch.cat([cached["key_states"].to(key.dtype), apply_rope(key, own)], dim=1)
    values = torch.cat([cached["value_states"].to(value.dtype), value], dim=1)
    mask = attention_mask[:, :count, : keys.shape[1]]
    attended = inner.get_attention_interface()(
        mask, batch_size, head_dim, apply_rope(query, own), keys, values
    )
    of_expert, _ = attend(
        model_layers,
        [None, chunk],
        layer_idx,
        position_ids[:, count:],
        attention_mask,
        batch_size,
        head_dim,
        use_cache=True,
        fill_kv_cache=False,
        past_key_values={layer_idx: {"key_states": keys, "value_states": values}},
    )
    return [attended, *of_expert], past_key_values
