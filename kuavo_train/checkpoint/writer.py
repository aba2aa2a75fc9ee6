"""Write a checkpoint: everything that a robot without a network needs, in one folder.

model.safetensors, config.json            the policy, as stock lerobot reads it
policy_preprocessor.json, policy_postprocessor.json and their .safetensors
vlm/                                      VLM configuration and tokenizer
normalization.json                        the chain's statistics, readable
training_config.yaml                      the resolved configuration
manifest.json                             SHA-256 of every file, lineage
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kuavo_train.checkpoint import manifest as manifests
from kuavo_train.checkpoint.atomic import atomic_folder
from kuavo_train.checkpoint.manifest import WEIGHTS, Lineage, Manifest
from kuavo_train.checkpoint.processors import make_processors
from kuavo_train.policy import normalization
from kuavo_train.policy.normalization import Statistics

VLM = "vlm"
TRAINING_CONFIG = "training_config.yaml"


def write_checkpoint(
    target: Path,
    policy: Any,
    statistics: Statistics,
    lineage: Lineage,
    training_config: str,
    extra: Callable[[Path], None] | None = None,
) -> str:
    """Write or replace the checkpoint `target`, atomically.

    Args:
        target: the folder.
        policy: lerobot's SmolVLAPolicy; its configuration names the VLM folder it was built from.
        statistics: the chain's.
        lineage: where the weights come from.
        training_config: the resolved configuration, YAML.
        extra: writes more files into the folder (the optimizer's state, for instance).

    Returns:
        SHA-256 of its weights, by which children name their parent wherever it was copied to.
    """
    target = Path(target)
    with atomic_folder(target) as work:
        vlm = Path(policy.config.vlm_model_name)
        shutil.copytree(vlm, work / VLM)
        _save_policy(policy, work, final=target)
        _save_processors(policy.config, statistics, work, final=target)
        (work / normalization.FILE).write_text(statistics.to_json(), encoding="utf-8")
        (work / TRAINING_CONFIG).write_text(training_config, encoding="utf-8")
        if extra:
            extra(work)
        manifest = Manifest(manifests.hash_files(work), statistics.hash, lineage)
        (work / manifests.FILE).write_text(manifest.to_json(), encoding="utf-8")
        return manifest.files[WEIGHTS]


def _portable(config: Any, vlm: Path) -> Any:
    """The configuration as it is stored: the VLM's folder by the path it will have."""
    stored = copy.copy(config)
    stored.vlm_model_name = str(vlm.absolute())
    stored.load_vlm_weights = False
    stored.pretrained_path = None
    return stored


def _save_policy(policy: Any, work: Path, final: Path) -> None:
    config = policy.config
    policy.config = _portable(config, final / VLM)
    try:
        policy._save_pretrained(work)
    finally:
        policy.config = config


def _save_processors(config: Any, statistics: Statistics, work: Path, final: Path) -> None:
    # Built over the copied VLM (the final place does not exist yet), stored under the final name.
    pipelines = make_processors(_portable(config, work / VLM), statistics)
    for processor in pipelines:
        for step in processor.pipeline.steps:
            if hasattr(step, "tokenizer_name"):
                step.tokenizer_name = str((final / VLM).absolute())
        processor.pipeline._save_pretrained(work)
