"""A dataset's episodes as plain arrays, read from its own files, whole or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kuavo_cli.errors import UserError
from kuavo_deploy.robot import topics
from kuavo_train.data.decoding import decoded
from kuavo_train.data.metadata import read_episodes

SMALL = (48, 64)
"""Frames are looked at in this size (height, width) [px]."""
VERSION = "v3.0"


@dataclass(frozen=True)
class Episode:
    """One episode.

    state, action: shape (T, 16), (T, 16 or 20). timestamp: shape (T,) [s]. instructions: the
    distinct ones in it. notes: its line of `meta/kuavo_episodes.jsonl`, empty if it has none.
    videos: by feature, the file and the number of the episode's first frame in it.
    """

    index: int
    length: int
    state: np.ndarray
    action: np.ndarray
    timestamp: np.ndarray
    frame_index: np.ndarray
    instructions: tuple[str, ...]
    notes: dict[str, Any]
    videos: dict[str, tuple[Path, int]]


class DatasetFiles:
    """A LeRobot v3.0 dataset on disk.

    Raises:
        UserError: it is no such dataset.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        try:
            self.info = json.loads((self.root / "meta/info.json").read_text(encoding="utf-8"))
            self._meta = _table(self.root / "meta/episodes").to_pylist()
            tasks = pq.read_table(self.root / "meta/tasks.parquet").to_pandas()
        except (OSError, ValueError, pa.ArrowException) as error:
            raise UserError(f"{root} is not a LeRobot {VERSION} dataset: {error}") from error
        version = self.info.get("codebase_version")
        if version != VERSION:
            raise UserError(f"{root} has format {version}, expected {VERSION}")
        self.instructions = {int(row.task_index): str(text) for text, row in tasks.iterrows()}
        self.fps = float(self.info["fps"])
        self.cameras = [k for k, f in self.info["features"].items() if f["dtype"] == "video"]
        self._notes = {note["episode_index"]: note for note in read_episodes(self.root)}

    def episodes(self) -> Iterator[Episode]:
        """All episodes, in order; data files are opened one at a time.

        Raises:
            UserError: a data file is missing or damaged.
        """
        opened: tuple[Path, Any] | None = None
        for meta in sorted(self._meta, key=lambda m: m["episode_index"]):
            file = self.root / self.info["data_path"].format(
                chunk_index=meta["data/chunk_index"], file_index=meta["data/file_index"]
            )
            if opened is None or opened[0] != file:
                try:
                    opened = file, pq.read_table(file)
                except (OSError, pa.ArrowException) as error:
                    raise UserError(f"{file} cannot be read: {error}") from error
            yield self._episode(meta, opened[1])

    def _episode(self, meta: dict[str, Any], table: pa.Table) -> Episode:
        index = int(meta["episode_index"])
        rows = table.filter(pa.compute.equal(table["episode_index"], index))
        used = sorted(set(rows["task_index"].to_pylist()))
        return Episode(
            index=index,
            length=int(meta["length"]),
            state=_matrix(rows[topics.STATE_FEATURE]),
            action=_matrix(rows[topics.ACTION_FEATURE]),
            timestamp=rows["timestamp"].to_numpy(),
            frame_index=rows["frame_index"].to_numpy(),
            instructions=tuple(self.instructions.get(i, "") for i in used),
            notes=self._notes.get(index, {}),
            videos={camera: self._video(meta, camera) for camera in self.cameras},
        )

    def _video(self, meta: dict[str, Any], camera: str) -> tuple[Path, int]:
        file = self.info["video_path"].format(
            video_key=camera,
            chunk_index=meta[f"videos/{camera}/chunk_index"],
            file_index=meta[f"videos/{camera}/file_index"],
        )
        return self.root / file, round(meta[f"videos/{camera}/from_timestamp"] * self.fps)


def small_frames(file: Path, first: int, count: int) -> np.ndarray:
    """Frames `first` … `first + count` of a video, shrunk: shape (n, 48, 64, 3) uint8 RGB.

    n is smaller than `count` where the video ends earlier.

    Raises:
        OSError: the file is missing or no video.
    """
    frames = []
    size = (SMALL[1], SMALL[0])
    for image in decoded(file, first, count):
        frames.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    return np.array(frames, dtype=np.uint8).reshape(-1, *SMALL, 3)


def _table(folder: Path) -> pa.Table:
    files = sorted(folder.glob("*/*.parquet"))
    if not files:
        raise FileNotFoundError(f"no *.parquet in {folder}")
    return pa.concat_tables([pq.read_table(file) for file in files], promote_options="default")


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    """A column of number lists as shape (T, d) float32."""
    rows = column.to_pylist()
    return np.array(rows, dtype=np.float32).reshape(len(rows), -1)
