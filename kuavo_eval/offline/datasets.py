"""Episodes of a LeRobot dataset. Videos are decoded front to back, never frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kuavo_cli.errors import UserError
from kuavo_eval.offline.episodes import FPS, Damaged, Images, RecordedEpisode, Recording
from kuavo_train.data.decoding import decoded
from kuavo_train.episodes.table import CAMERA_FEATURES, EpisodeTable, open_table
from kuavo_train.errors import DataError
from kuavo_train.tasks import Task, TaskRegistry

INFO = Path("meta/info.json")


def open_dataset(task: Task, root: Path, registry: TaskRegistry) -> Recording:
    """Open and check a dataset.

    Raises:
        UserError: it is missing, incomplete, damaged, of other cameras, rate or task.
    """
    _check_complete(root)
    try:
        table = open_table(task, root, registry, FPS)
    except DataError as error:
        raise UserError(str(error)) from error
    if (table.drawn_every > 1).any():
        raise UserError(
            f"dataset {root} holds its images between frames (--draw-every, "
            f"{int((table.drawn_every > 1).sum())} episodes): it is for training alone; score on "
            "one that was recorded without"
        )
    episodes = []
    for index in table.episodes:
        rows = slice(int(table.starts[index]), int(table.ends[index]))
        episodes.append(
            RecordedEpisode(
                task=task,
                key=table.hashes[index],
                name=f"episode {index}",
                states=table.states[rows],
                actions=table.actions[rows],
                images=partial(_images, table, index, rows),
            )
        )
    return Recording(task, str(root), tuple(episodes))


def _check_complete(root: Path) -> None:
    """Lerobot would ask the hub for what is missing."""
    if not (root / INFO).is_file():
        return  # `open_table` says so
    missing = sorted(str(file) for file in _files(root) if not (root / file).is_file())
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(f"dataset {root} is incomplete: {missing[0]}{more} missing; copy it again")


def _files(root: Path) -> set[Path]:
    """Every data and video file that the metadata names."""
    import json

    try:
        info = json.loads((root / INFO).read_text(encoding="utf-8"))
        tables = [
            pq.read_table(file) for file in sorted((root / "meta/episodes").rglob("*.parquet"))
        ]
        rows = pa.concat_tables(tables, promote_options="default").to_pylist() if tables else []
        videos = [k for k, f in info["features"].items() if f["dtype"] == "video"]
        found = set()
        for row in rows:
            found.add(_place(info["data_path"], row, "data"))
            found |= {
                _place(info["video_path"], row, f"videos/{key}", video_key=key) for key in videos
            }
    except (OSError, ValueError, KeyError, AttributeError, pa.ArrowException) as error:
        raise UserError(f"dataset {root} cannot be read: {error!r}") from error
    return found


def _place(pattern: str, row: dict[str, Any], prefix: str, **more: str) -> Path:
    chunk, file = row[f"{prefix}/chunk_index"], row[f"{prefix}/file_index"]
    return Path(pattern.format(chunk_index=chunk, file_index=file, **more))


def _images(table: EpisodeTable, index: int, rows: slice) -> Iterator[Images]:
    """All frames of an episode.

    Raises:
        Damaged: a video ends too soon or cannot be decoded.
    """
    meta = table.dataset.meta
    length = rows.stop - rows.start
    streams = {
        camera: _video(table, index, camera, length)
        if meta.features[camera]["dtype"] == "video"
        else _stored(table, camera, rows)
        for camera in CAMERA_FEATURES
    }
    for _ in range(length):
        yield {camera: next(stream) for camera, stream in streams.items()}


def _video(table: EpisodeTable, index: int, camera: str, length: int) -> Iterator[np.ndarray]:
    meta = table.dataset.meta
    file = table.root / meta.get_video_file_path(index, camera)
    first = round(float(meta.episodes[index][f"videos/{camera}/from_timestamp"]) * meta.fps)
    short = camera.rsplit(".", 1)[-1]
    count = 0
    try:
        for image in decoded(file, first, length):
            count += 1
            yield image
    except OSError as error:
        raise Damaged(f"{short}: {error}") from error
    if count < length:
        raise Damaged(f"{short}: its video ends after {count} of {length} frames")


def _stored(table: EpisodeTable, camera: str, rows: slice) -> Iterator[np.ndarray]:
    column = table.dataset.hf_dataset.with_format(None).select_columns([camera])
    for row in range(rows.start, rows.stop):
        yield np.asarray(column[row][camera].convert("RGB"))
