"""How checkpoints are called in results: short, and fit for dotted paths and file names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kuavo_cli.errors import UserError


def labelled(given: Sequence[str]) -> dict[str, Path]:
    """`NAME=DIR`, or a folder that gets the name of its last two parts.

    Raises:
        UserError: the same name twice.
    """
    labels: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals:
            name, path = _short(Path(text)), text
        label = re.sub(r"[^\w-]+", "_", name).strip("_") or "checkpoint"
        if label in labels:
            raise UserError(f"two checkpoints are called {label!r}: name them, e.g. A={path}")
        labels[label] = Path(path)
    return labels


def _short(folder: Path) -> str:
    parts = folder.expanduser().absolute().parts
    return "-".join(parts[-2:])
