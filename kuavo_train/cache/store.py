"""Rows of numbers on disk, memory-mapped, filled in any order, resumable.

A store is a folder: `rows.bin`, the numbers of all rows one after the other; `done.bin`, one byte
per row, set after the row's numbers were flushed; `store.json`, what they are. A killed run leaves
rows that are done and rows that are not, never a wrong one.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kuavo_train.checkpoint.atomic import atomic_file
from kuavo_train.errors import TrainingError

HEADER = "store.json"
_ROWS, _DONE = "rows.bin", "done.bin"


@dataclass(frozen=True)
class Layout:
    """rows: how many. shape: of one. dtype: numpy's name of the numbers."""

    rows: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def bytes(self) -> int:
        """Of all rows."""
        return self.rows * self.row_bytes


class Store:
    """The rows in `folder`; made when it is not there.

    Args:
        folder: of this store.
        layout: of its rows.
        about: what the rows are, for a person who finds the folder.

    Raises:
        TrainingError: something else is there, or the disk is too small.
    """

    def __init__(self, folder: Path, layout: Layout, about: Mapping[str, Any]) -> None:
        self.folder, self.layout = folder, layout
        header = folder / HEADER
        if header.is_file():
            self._check(header)
        else:
            self._make(header, about)
        shape = (layout.rows, *layout.shape)
        self._rows = np.memmap(folder / _ROWS, layout.dtype, "r+", shape=shape)
        self._done = np.memmap(folder / _DONE, np.uint8, "r+", shape=(layout.rows,))

    def missing(self, rows: np.ndarray) -> np.ndarray:
        """Which of the rows are not there yet, sorted."""
        wanted = np.unique(rows)
        return wanted[self._done[wanted] == 0]

    def write(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Put rows in place; `flush` makes them count. values: (len(rows), …)."""
        self._rows[rows] = values

    def flush(self, rows: np.ndarray) -> None:
        """Bring to the disk what was written, then mark `rows` as done."""
        self._rows.flush()
        self._done[rows] = 1
        self._done.flush()

    def __getitem__(self, row: int) -> np.ndarray:
        """A copy of one row.

        Raises:
            KeyError: it is not there.
        """
        if not self._done[row]:
            raise KeyError(f"{self.folder}: row {row} was not computed")
        return np.array(self._rows[row])

    def block(self, first: int, end: int) -> np.ndarray:
        """Copies of the rows from `first` to before `end`, computed or not."""
        return np.array(self._rows[first:end])

    def _make(self, header: Path, about: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, size in ((_ROWS, self.layout.bytes), (_DONE, self.layout.rows)):
            _reserve(self.folder / name, size)
        atomic_file(header, json.dumps({**about, "layout": asdict(self.layout)}, indent=2) + "\n")

    def _check(self, header: Path) -> None:
        sizes = [(self.folder / name).stat().st_size for name in (_ROWS, _DONE)]
        stored = json.loads(header.read_text(encoding="utf-8"))["layout"]
        stored["shape"] = tuple(stored["shape"])
        if stored != asdict(self.layout) or sizes != [self.layout.bytes, self.layout.rows]:
            raise TrainingError(f"{self.folder} is no cache of these recordings: remove the folder")


def _reserve(file: Path, size: int) -> None:
    """Make a file of zeros; the space is taken now, so that a full disk can't kill a mapping."""
    with open(file, "wb") as stream:
        try:
            os.posix_fallocate(stream.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            stream.truncate(0)
            free = shutil.disk_usage(file.parent).free
            raise TrainingError(
                f"{file.parent} needs {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free: set "
                "cache.folder to another disk, or choose a smaller cache (cache=none needs nothing)"
            ) from error
