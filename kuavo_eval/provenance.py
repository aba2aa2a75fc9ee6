"""Where scores come from: enough to repeat them and to tell what was compared with what."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kuavo_train.checkpoint.manifest import WEIGHTS, read_manifest

PACKAGES = (
    "kuavo_deploy",
    "lerobot",
    "torch",
    "transformers",
    "mujoco",
    "numpy",
    "scipy",
    "statsmodels",
)


def provenance(
    command: Sequence[str],
    seed: int | None,
    checkpoints: Mapping[str, Path | str] | None = None,
    episodes: Mapping[str, Mapping[str, str]] | None = None,
    created: datetime | None = None,
) -> dict[str, Any]:
    """The `provenance` of an evaluation's document.

    Args:
        command: as typed (`sys.argv`).
        seed: of everything drawn.
        checkpoints: label → folder.
        episodes: task → episode → SHA-256 of its states and actions.
        created: default: now.
    """
    return {
        "command": " ".join(["kuavo", *command[1:]]),
        "created": (created or datetime.now().astimezone()).isoformat(timespec="seconds"),
        "seed": seed,
        "checkpoints": {
            label: checkpoint_identity(Path(folder))
            for label, folder in (checkpoints or {}).items()
        },
        "episodes": {
            task: [{"episode": name, "sha256": digest} for name, digest in hashes.items()]
            for task, hashes in (episodes or {}).items()
        },
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
    }


def checkpoint_identity(folder: Path) -> dict[str, Any]:
    """What names a checkpoint wherever it lies, the SHA-256 of its weights, and its lineage.

    Raises:
        CheckpointError: no checkpoint there.
    """
    found = read_manifest(folder)
    return {
        "path": str(folder),
        "sha256": found.files[WEIGHTS],
        "parent": found.lineage.parent,
        "stage": found.lineage.stage,
        "epoch": found.lineage.epoch,
        "step": found.lineage.step,
        "tasks": [task.name for task in found.lineage.tasks],
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
