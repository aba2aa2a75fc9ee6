"""What cached rows are valid for: weights, recordings, images. Another key, another folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kuavo_train.episodes.table import EpisodeTable

Bounds = tuple[int, int]


def weights_hash(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """SHA-256 over names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors, key=lambda pair: pair[0]):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole = tensor.detach().cpu().contiguous()
        digest.update(whole.flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def recordings_hash(table: EpisodeTable) -> str:
    """The episodes' content and the image files by name, size and time of change.

    Reading hundreds of GB of video to hash it would cost as much as the cache saves; whatever
    rewrites a video also changes its time.
    """
    files = []
    for folder in ("videos", "images", "data"):
        for file in sorted((table.root / folder).rglob("*")):
            if file.is_file():
                found = file.stat()
                name = file.relative_to(table.root).as_posix()
                files.append((name, found.st_size, found.st_mtime_ns))
    return combined(table.hashes, table.drawn_every.tolist(), files)


def episodes_of(table: EpisodeTable) -> dict[str, Bounds]:
    """Content hash → the place of its first drawn row among all drawn rows, and the one after."""
    ends = np.cumsum([len(table.rows([episode])) for episode in table.episodes])
    bounds = zip(np.concatenate([[0], ends[:-1]]), ends, strict=True)
    return {key: (int(a), int(b)) for key, (a, b) in zip(table.hashes, bounds, strict=True)}


def combined(*parts: Any) -> str:
    """One hash of plain values."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def folder_of(root: Path, kind: str, task: str, key: str) -> Path:
    """Where the rows of one task lie."""
    return root / f"{kind}-{key[:16]}" / task
