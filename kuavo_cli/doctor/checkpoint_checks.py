"""A checkpoint: whole, made for these packages, and what it wants to see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from kuavo_cli.doctor.result import Result
from kuavo_deploy.robot import topics
from kuavo_train.checkpoint.manifest import Manifest, read_manifest, verify
from kuavo_train.errors import CheckpointError


@dataclass(frozen=True)
class Trained:
    """A verified checkpoint. cameras: width and height of its recordings, by the camera's name."""

    folder: Path
    manifest: Manifest
    cameras: dict[str, tuple[int, int] | None]


def open_trained(folder: Path) -> Trained:
    """Verify a checkpoint and read its cameras, without loading it.

    Raises:
        CheckpointError: missing, incomplete, damaged, or without cameras that this robot has.
    """
    manifest = read_manifest(folder)
    verify(folder, manifest)
    known = {feature: camera for camera, feature in topics.IMAGE_FEATURES.items()}
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shapes = {
            name: feature["shape"]
            for name, feature in config["input_features"].items()
            if feature["type"] == "VISUAL"
        }
        cameras = {known[name]: (shape[2], shape[1]) for name, shape in shapes.items()}
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise CheckpointError(
            f"{folder}: its cameras are not this robot's ({', '.join(topics.CAMERAS)}): {error!r}"
        ) from error
    return Trained(folder, manifest, dict(cameras))


def check_checkpoint(trained: Trained) -> Result:
    """What it knows, and whether the packages are those that it was trained with."""
    tasks = ", ".join(task.name for task in trained.manifest.lineage.tasks)
    sizes = {f"{size[0]}×{size[1]}" for size in trained.cameras.values() if size}
    cameras = f"{', '.join(trained.cameras)} at {', '.join(sorted(sizes))}"
    found = f"{trained.folder}: whole; knows {tasks}; sees {cameras}"
    other = _other_versions(trained.manifest.lineage.packages)
    if other:
        fix = "compare both on recorded episodes, or install what it was trained with"
        return Result("checkpoint", "warn", f"{found}; trained with {', '.join(other)}", fix)
    return Result("checkpoint", "ok", found)


def _other_versions(packages: dict[str, str]) -> list[str]:
    found = []
    for name, version in packages.items():
        try:
            here = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if here.split("+")[0] != version.split("+")[0]:
            found.append(f"{name} {version} (here {here})")
    return found
