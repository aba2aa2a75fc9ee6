"""`manifest.json`: the SHA-256 of every file of a checkpoint, and where it comes from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kuavo_train.errors import CheckpointError

FILE = "manifest.json"
FORMAT = "kuavo-smolvla/1"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class TaskRecord:
    """What a checkpoint knows of one task that it learned.

    trained, held_out: episode indices → SHA-256 of their states and actions, so that an
    evaluation recognizes an episode wherever the dataset lies and however it is numbered.
    start: where the training episodes began, the median of their first states, 16 numbers; the
    robot goes there before it executes the task. Empty: not known.
    """

    id: int
    name: str
    instruction: str
    action_dim: int
    data_root: str
    trained: dict[str, str] = field(default_factory=dict)
    held_out: dict[str, str] = field(default_factory=dict)
    start: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Lineage:
    """Where a checkpoint comes from.

    parent: SHA-256 of the parent's weights, or the name of the base model. stage: 1, 2, … or
    "joint". step: optimizer steps in this stage.
    """

    parent: str
    stage: str
    epoch: int
    step: int
    tasks: list[TaskRecord]
    loss_version: str
    trainable: list[str]
    packages: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """The content of `manifest.json`. files: relative path → SHA-256."""

    files: dict[str, str]
    normalization_hash: str
    lineage: Lineage
    format: str = FORMAT

    def to_json(self) -> str:
        """Readable, with a stable order."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def is_checkpoint(folder: Path) -> bool:
    """Is there one, whole or not?"""
    return (folder / FILE).is_file()


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder` except the manifest itself."""
    return {
        path.relative_to(folder).as_posix(): hash_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).as_posix() != FILE
    }


def read_manifest(folder: Path) -> Manifest:
    """Read a checkpoint's manifest without checking the files.

    Raises:
        CheckpointError: the folder or its manifest is missing, unreadable, of another format.
    """
    if not folder.is_dir():
        raise CheckpointError(f"no checkpoint at {folder}: the folder does not exist")
    try:
        content: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise CheckpointError(f"{folder}: format {content['format']!r}, expected {FORMAT!r}")
        lineage = dict(content["lineage"])
        lineage["tasks"] = [TaskRecord(**task) for task in lineage["tasks"]]
        return Manifest(
            files=dict(content["files"]),
            normalization_hash=content["normalization_hash"],
            lineage=Lineage(**lineage),
        )
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} is not a checkpoint of this project: no {FILE} (was it copied whole?)"
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / FILE} is damaged: {error!r}") from error


def verify(folder: Path, manifest: Manifest) -> None:
    """Raise CheckpointError naming every file that is missing or differs from its SHA-256."""
    missing = [name for name in manifest.files if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"{folder} is incomplete: missing {', '.join(missing)}")
    damaged = [
        name for name, digest in manifest.files.items() if hash_file(folder / name) != digest
    ]
    if damaged:
        raise CheckpointError(
            f"{folder} is damaged: {', '.join(damaged)} does not match its SHA-256; copy it again"
        )
