"""What this project adds to a dataset's metadata: where each episode comes from, and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kuavo_cli.jsonio import to_plain

EPISODES_FILE = "meta/kuavo_episodes.jsonl"
"""One line per episode: seed, success and stages, or bag and repairs; length, sha256."""
ABOUT_FILE = "meta/kuavo.json"
"""Facts on the dataset: task, instruction, units, source."""
DRAWN_EVERY = "drawn_every"
"""Of an episode's metadata: its cameras drew at every nth frame, from the first on, and held their
images between; 1 where nothing is said."""


def read_episodes(root: Path) -> list[dict[str, Any]]:
    """The episodes' metadata of a dataset (seed, success, stages, hash …); empty if it has none."""
    try:
        text = (Path(root) / EPISODES_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.splitlines() if line]


def read_about(root: Path) -> dict[str, Any]:
    """Facts on a dataset: task, instruction, units, source.

    Raises:
        FileNotFoundError: it is none of this project's.
    """
    found: dict[str, Any] = json.loads((Path(root) / ABOUT_FILE).read_text(encoding="utf-8"))
    return found


def drawn_every(episode: Mapping[str, Any]) -> int:
    """At every nth frame of an episode, by its metadata, its images were drawn for it.

    Raises:
        ValueError: the metadata holds something else.
    """
    noted = episode.get(DRAWN_EVERY, 1)
    if type(noted) is not int or noted < 1:
        raise ValueError(f"{DRAWN_EVERY} is {noted!r}: a whole number, at least 1")
    return noted


def dump_episodes(episodes: Iterable[Mapping[str, Any]]) -> str:
    """The text of `EPISODES_FILE`."""
    return "".join(
        json.dumps(to_plain(dict(e)), ensure_ascii=False, allow_nan=False) + "\n" for e in episodes
    )


def content_hash(instruction: str, states: np.ndarray, actions: np.ndarray) -> str:
    """An episode's hash, as it was noted when it was recorded, from its own numbers.

    states: shape (T, 16); actions: shape (T, 16) or (T, 20); both as float32.
    """
    digest = hashlib.sha256(instruction.encode())
    for state, action in zip(states, actions, strict=True):
        digest.update(np.asarray(state, dtype=np.float32).tobytes())
        digest.update(np.asarray(action, dtype=np.float32).tobytes())
    return digest.hexdigest()
