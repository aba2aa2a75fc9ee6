"""A SmolVLA with random weights, made locally: tokenizer, VLM configuration, policy.

It stands in for `lerobot/smolvla_base` where there is no network or no GPU (`nano`), and carries
the original's architecture for measurements (`smolvla_450m`). Sizes are files in
`configs/policy/architecture/`.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    SmolVLMConfig,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

from kuavo_deploy.robot.topics import ACTION_FEATURE, CAMERAS, IMAGE_FEATURES, STATE_FEATURE
from kuavo_train.errors import TrainingError
from kuavo_train.policy.action_space import STATE_DIM, UNIFIED_DIM, silence_padding

SPECIAL_TOKENS = {
    "fake_image_token": "<fake_token_around_image>",
    "image_token": "<image>",
    "global_image_token": "<global-img>",
    "end_of_utterance_token": "<end_of_utterance>",
}
PAD_TOKEN = "<pad>"


def read_architecture(folder: Path, name: str) -> dict[str, Any]:
    """The sizes called `name` out of `folder` (`configs/policy/architecture`)."""
    file = folder / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(f.stem for f in folder.glob("*.yaml")))
        raise TrainingError(f"unknown size {name!r}: choose from {known}")
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content


def make_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, trained on `texts`; the same texts give the same tokenizer."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        list(texts),
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            initial_alphabet=alphabet,
            special_tokens=[PAD_TOKEN, *SPECIAL_TOKENS.values()],
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD_TOKEN,
        eos_token=SPECIAL_TOKENS["end_of_utterance_token"],
        extra_special_tokens=SPECIAL_TOKENS,
    )


def write_vlm(folder: Path, sizes: Mapping[str, Any], texts: Iterable[str]) -> None:
    """Write what lerobot needs of a VLM when it loads no weights: configuration and processor."""
    tokenizer = make_tokenizer(texts, int(sizes["vocabulary"]))
    vision = dict(sizes["vision"])
    rows = int(sizes.get("embeddings", len(tokenizer)))
    side = vision["image_size"] // vision["patch_size"] // sizes["scale_factor"]
    config = SmolVLMConfig(
        text_config={
            "model_type": "llama",
            "vocab_size": rows,
            "pad_token_id": tokenizer.pad_token_id,
            **sizes["text"],
        },
        vision_config=vision,
        scale_factor=sizes["scale_factor"],
        image_token_id=tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS["image_token"]),
        pad_token_id=tokenizer.pad_token_id,
    )
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(), tokenizer, SmolVLMVideoProcessor(), image_seq_len=side * side
    )
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    processor.save_pretrained(folder)


def robot_features(image_shape: tuple[int, int, int]) -> tuple[dict, dict]:
    """Input and output features of this robot.

    Args:
        image_shape: (3, height, width) of the recordings.
    """
    inputs = {STATE_FEATURE: PolicyFeature(FeatureType.STATE, (STATE_DIM,))}
    for camera in CAMERAS:
        inputs[IMAGE_FEATURES[camera]] = PolicyFeature(FeatureType.VISUAL, image_shape)
    return inputs, {ACTION_FEATURE: PolicyFeature(FeatureType.ACTION, (UNIFIED_DIM,))}


def random_policy(sizes: Mapping[str, Any], vlm: Path, seed: int = 0) -> SmolVLAPolicy:
    """A policy with random weights over the VLM configuration in `vlm`."""
    options = dict(sizes["policy"])
    width, height = options["resize_imgs_with_padding"]
    options["resize_imgs_with_padding"] = (width, height)
    inputs, outputs = robot_features((3, height, width))
    config = SmolVLAConfig(
        vlm_model_name=str(vlm),
        load_vlm_weights=False,
        input_features=inputs,
        output_features=outputs,
        device="cpu",
        push_to_hub=False,
        **options,
    )
    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(io.StringIO()):
        torch.manual_seed(seed)
        policy = SmolVLAPolicy(config)
    silence_padding(policy.model)
    return policy
