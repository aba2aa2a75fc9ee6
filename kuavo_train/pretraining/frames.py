"""Labelled frames (`kuavo sim frames`) in memory, and batches of queries about them.

B frames, Q queries about each, M things that a phrase may name, C = 3 cameras, S the images' side,
T steps of a chunk. A query is a phrase; it names things (then there are places to point at), or
asks for a motion (then there is a chunk), or both.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kuavo_train.errors import DataError
from kuavo_train.policy.flow_loss import mixed_seed
from kuavo_train.policy.normalization import TaskVectors
from kuavo_train.pretraining.classes import CLASSES
from kuavo_train.pretraining.phrases import (
    MENTIONS,
    STORIES,
    motion_phrase,
    point_phrase,
    story_phrase,
)

MOTION_SHARE = 0.6
"""Of the queries, as far as a frame has motions."""
UNSEEN_SHARE = 0.1
"""Of the pointing queries, about things that no camera sees."""
STATE_NOISE = 0.02
"""[rad] on the arms, 0…1 on the hands: images, not the state's last digit, say what to do."""
_ARRAYS = ("images", "classes", "states", "places", "metres", "visible", "chunks")


@dataclass(frozen=True)
class Batch:
    """Queries about frames; row q of frame b is b·Q + q.

    images: (B, C, 3, S, S) float in 0…1. classes: (B, C, S, S) long, 255 where nothing counts.
    kinds: (B, N) long, the class of each nameable thing, −1 where a frame has fewer; middles:
    (B, C, N, 2) where each is in the picture, in −1 … 1, NaN where it cannot be seen.
    states: (B·Q, 16). phrases: B·Q texts. Of the things that a phrase names, in its order:
    places: (B·Q, M, C, 2). metres: (B·Q, M, C). visible: (B·Q, M, C) bool. points: (B·Q, M) bool,
    there is one. chunks: (B·Q, T, 20). moves: (B·Q,) bool, has a chunk.
    """

    images: Tensor
    classes: Tensor
    kinds: Tensor
    middles: Tensor
    states: Tensor
    phrases: list[str]
    places: Tensor
    metres: Tensor
    visible: Tensor
    points: Tensor
    chunks: Tensor
    moves: Tensor


class Frames:
    """Shards in memory.

    Args:
        files: shards; all of one image size and chunk length.
        stories: share of the pointing queries whose phrases name several things.
    """

    def __init__(self, files: Sequence[Path], stories: float = 0.0) -> None:
        if not files:
            raise DataError("no labelled frames: make them with: kuavo sim frames")
        self._stories = stories
        self._shards = [_read(file) for file in files]
        self._index = [
            (s, f) for s, shard in enumerate(self._shards) for f in range(len(shard["images"]))
        ]

    def __len__(self) -> int:
        return len(self._index)

    @property
    def size(self) -> int:
        """Side of the images [px]."""
        return int(self._shards[0]["images"].shape[2])

    @property
    def steps(self) -> int:
        """Length of a chunk."""
        return int(self._shards[0]["chunks"].shape[1])

    def vectors(self) -> dict[str, TaskVectors]:
        """States and actions of every kind of scene, for normalization statistics."""
        by_task: dict[str, list[dict[str, Any]]] = {}
        for shard in self._shards:
            by_task.setdefault(shard["about"]["task"], []).append(shard)
        return {
            task: TaskVectors(
                np.concatenate([s["states"] for s in shards]),
                np.concatenate([s["chunks"].reshape(-1, s["chunks"].shape[-1]) for s in shards]),
            )
            for task, shards in by_task.items()
        }

    def batch(self, frames: int, queries: int, *seed: int) -> Batch:
        """`frames` random frames with `queries` queries each; the same seed, the same batch."""
        rng = np.random.default_rng(mixed_seed(*seed))
        chosen = rng.integers(len(self._index), size=frames)
        return self._batch([self._index[i] for i in chosen], queries, rng)

    def _batch(self, where: list[tuple[int, int]], queries: int, rng: np.random.Generator) -> Batch:
        rows: list[dict[str, Any]] = []
        images, classes, kinds, middles = [], [], [], []
        for s, f in where:
            shard = self._shards[s]
            images.append(shard["images"][f])
            classes.append(shard["classes"][f])
            kinds.append(shard["kinds"])
            middles.append(np.where(shard["visible"][f][..., None], shard["places"][f], np.nan))
            rows += [self._query(shard, f, rng) for _ in range(queries)]
        stack = {key: np.stack([row[key] for row in rows]) for key in rows[0] if key != "phrase"}
        pictures = torch.from_numpy(np.stack(images)).permute(0, 1, 4, 2, 3).float() / 255
        return Batch(
            images=pictures,
            classes=torch.from_numpy(np.stack(classes)).long(),
            kinds=_filled(kinds, -1),
            middles=_filled(middles, float("nan")).float().transpose(1, 2),
            phrases=[row["phrase"] for row in rows],
            **{key: torch.from_numpy(value) for key, value in stack.items()},
        )

    def _query(self, shard: dict[str, Any], frame: int, rng: np.random.Generator) -> dict[str, Any]:
        about = shard["named"]
        motions = shard["by_frame"][frame]
        chunk = np.zeros(shard["chunks"].shape[1:], np.float32)
        moves = bool(motions) and rng.random() < MOTION_SHARE
        if moves:
            index = motions[int(rng.integers(len(motions)))]
            motion, chunk = shard["about"]["motions"][index], shard["chunks"][index]
            named = [motion["thing"]] if motion["thing"] >= 0 else []
            thing = about[motion["thing"]] if named else None
            phrase = motion_phrase(motion["kind"], motion["side"], thing, rng)
        elif rng.random() < self._stories and len(set(shard["kinds"])) > 1:
            named = _several(shard["kinds"], rng)
            phrase = story_phrase([about[thing] for thing in named], rng)
        else:
            named = [_thing(shard["visible"][frame], rng)]
            kind, details = about[named[0]]
            phrase = point_phrase(kind, details, rng)
        state = shard["states"][frame] + rng.normal(0, STATE_NOISE, 16).astype(np.float32)
        return {
            "phrase": phrase,
            "states": state.astype(np.float32),
            **{
                key: _by_turn(shard[key][frame], named) for key in ("places", "metres", "visible")
            },
            "points": np.arange(MENTIONS) < len(named),
            "chunks": chunk,
            "moves": np.bool_(moves),
        }


def split_shards(folder: Path, held_out: int) -> tuple[list[Path], list[Path]]:
    """Shards to train on, and every `held_out`-th to validate on, by their names.

    Raises:
        DataError: too few.
    """
    files = sorted(Path(folder).glob("*.npz"), key=lambda f: f.stem.rpartition("_")[::-1])
    validation = files[::held_out]
    training = [file for file in files if file not in set(validation)]
    if not training:
        raise DataError(f"{folder} holds {len(files)} shards: make more with kuavo sim frames")
    return training, validation


def _read(file: Path) -> dict[str, Any]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            shard: dict[str, Any] = {name: stored[name] for name in _ARRAYS}
            shard["about"] = json.loads(str(stored["about"]))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{file} is no shard of labelled frames: {error}") from error
    by_frame: list[list[int]] = [[] for _ in range(len(shard["images"]))]
    for index, motion in enumerate(shard["about"]["motions"]):
        by_frame[motion["frame"]].append(index)
    shard["by_frame"] = by_frame
    shard["named"] = [(thing["kind"], thing["details"]) for thing in shard["about"]["things"]]
    shard["kinds"] = np.array([CLASSES.index(kind) for kind, _ in shard["named"]])
    return shard


def _filled(arrays: Sequence[np.ndarray], filler: float) -> Tensor:
    """Arrays (N_i, …) of different lengths → (B, N, …)."""
    return pad_sequence([torch.from_numpy(a) for a in arrays], True, filler)


def _thing(visible: np.ndarray, rng: np.random.Generator) -> int:
    """A thing that some camera sees, or sometimes one that none does. visible: (N, C)."""
    seen = visible.any(axis=1)
    pool = np.flatnonzero(seen if rng.random() >= UNSEEN_SHARE else ~seen)
    return int(rng.choice(pool if len(pool) else len(visible)))


def _several(kinds: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Two things or three of different kinds, in any order. kinds: (N,) of every thing."""
    known = np.unique(kinds)
    count = min(int(rng.choice(list(STORIES))), len(known))
    chosen = rng.permutation(known)[:count]
    return [int(rng.choice(np.flatnonzero(kinds == kind))) for kind in chosen]


def _by_turn(values: np.ndarray, named: Sequence[int]) -> np.ndarray:
    """Of all things (N, …) the named ones, (MENTIONS, …), zeros beyond."""
    turns = np.zeros((MENTIONS, *values.shape[1:]), values.dtype)
    turns[: len(named)] = values[list(named)]
    return turns
