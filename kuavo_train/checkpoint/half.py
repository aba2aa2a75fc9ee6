"""A checkpoint in half the space: the same policy, its weights stored as 16-bit numbers.

They are read back into 32 bits, so nothing runs in half precision; what is lost is rounding, a
relative 5e-4 of each weight.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from kuavo_train.checkpoint import manifest as manifests
from kuavo_train.checkpoint.atomic import atomic_folder
from kuavo_train.checkpoint.manifest import WEIGHTS, Manifest
from kuavo_train.checkpoint.reader import open_checkpoint
from kuavo_train.checkpoint.relocate import relocate
from kuavo_train.errors import CheckpointError

LEFT_OUT = ("optimizer.safetensors", "heads.safetensors", "training_state.json", "progress.json")
"""What only a run that goes on needs."""


def store_half(source: Path, target: Path) -> int:
    """Write the checkpoint `source` with 16-bit weights to `target`.

    Returns:
        Bytes of the new folder.

    Raises:
        CheckpointError: `source` is no whole checkpoint, a weight is too large for 16 bits, or
            `target` exists.
    """
    checkpoint = open_checkpoint(source)
    if target.exists():
        raise CheckpointError(f"{target} exists already; choose another folder or remove it")
    with atomic_folder(target) as work:
        shutil.copytree(
            checkpoint.path, work, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*LEFT_OUT)
        )
        weights = {}
        for name, tensor in load_file(work / WEIGHTS).items():
            weights[name] = tensor.half() if tensor.is_floating_point() else tensor
            if not torch.isfinite(weights[name]).all():
                raise CheckpointError(f"{source}: {name} does not fit into 16 bits")
        (work / WEIGHTS).unlink()
        save_file(weights, work / WEIGHTS, metadata={"format": "pt"})
        (work / manifests.FILE).unlink()
        lineage = dataclasses.replace(
            checkpoint.manifest.lineage, parent=checkpoint.manifest.files[WEIGHTS]
        )
        changed = Manifest(manifests.hash_files(work), checkpoint.statistics.hash, lineage)
        (work / manifests.FILE).write_text(changed.to_json(), encoding="utf-8")
    relocate(target)
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
