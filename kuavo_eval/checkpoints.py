"""A checkpoint's identity, or a sentence about what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from kuavo_cli.errors import UserError
from kuavo_train.checkpoint.manifest import WEIGHTS, read_manifest
from kuavo_train.errors import CheckpointError


def weights_sha256(folder: Path) -> str:
    """SHA-256 of its weights, after every file was compared with the manifest.

    Raises:
        UserError: missing, incomplete, damaged, or another robot's.
    """
    try:
        read_manifest(folder)  # what is not there is said before torch is imported
        from kuavo_train.checkpoint.reader import open_checkpoint

        return open_checkpoint(folder).manifest.files[WEIGHTS]
    except CheckpointError as error:
        raise UserError(str(error)) from error
