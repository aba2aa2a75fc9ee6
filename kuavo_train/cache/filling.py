"""Computes what is missing of a cache, says before how large it will be, and hands it to training.

Rows are computed in blocks of neighbours that are always the same, so that a row's numbers don't
depend on when, in how many runs, or by how many processes the cache was filled.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from kuavo_train.cache.key import folder_of
from kuavo_train.cache.kinds import Kind, describe
from kuavo_train.cache.numbers import NAMES, decoded, encoded
from kuavo_train.cache.reuse import reuse
from kuavo_train.cache.store import Layout, Store
from kuavo_train.episodes.samples import Draw
from kuavo_train.episodes.table import EpisodeTable
from kuavo_train.errors import TrainingError
from kuavo_train.policy.preprocessing import stacked
from kuavo_train.sequential.console import log

BLOCK = 16
FLUSH_EVERY = 10.0
"""[s]. Longer loses more when killed, shorter waits for the disk."""


@dataclass(frozen=True)
class Rows:
    """One task's kept rows: a reader for training.

    drawn: the table's drawn rows; a store has one place for each. stores: by view, then by the
    batch's key.
    """

    drawn: np.ndarray
    stores: tuple[Mapping[str, Store], ...]
    dtype: torch.dtype

    def __call__(self, row: int, view: int = 0) -> dict[str, Tensor]:
        """A row's values by the batch's keys; bfloat16 comes as float32."""
        place = int(np.searchsorted(self.drawn, row))
        if place == len(self.drawn) or self.drawn[place] != row:
            raise KeyError(f"row {row} has no image of its own")
        return {
            name: decoded(store[place], self.dtype) for name, store in self.stores[view].items()
        }


def fill(
    kind: Kind,
    tables: Mapping[str, EpisodeTable],
    rows: Mapping[str, np.ndarray],
    root: Path,
    workers: int,
    accelerator: Accelerator,
) -> dict[str, Rows]:
    """Open the tasks' caches under `root` and compute the rows that are missing.

    Args:
        kind: what is kept.
        tables: by task name.
        rows: that training draws from, by task name.
        root: `cache.folder`.
        workers: processes that load.
        accelerator: its processes share the work.

    Raises:
        TrainingError: the disk is too small; said before the first row is computed.
    """
    needed = {name: tables[name] for name in rows if len(rows[name])}
    shapes = _shapes(kind, next(iter(needed.values())))
    places = {
        (name, view): folder_of(root, kind.name, name, kind.key(table, view))
        for name, table in needed.items()
        for view in range(kind.views)
    }
    layouts = {
        name: {key: Layout(len(table.drawn), s, NAMES[kind.dtype]) for key, s in shapes.items()}
        for name, table in needed.items()
    }
    _announce(kind, places, layouts, root)
    readers = {}
    with accelerator.main_process_first():
        for name, table in needed.items():
            stores = tuple(
                {
                    key: Store(places[name, view] / key, layout, describe(kind, table, view))
                    for key, layout in layouts[name].items()
                }
                for view in range(kind.views)
            )
            readers[name] = Rows(table.drawn, stores, kind.dtype)
        if accelerator.is_main_process:
            _take_over(kind, needed, readers, root)
    for name, table in needed.items():
        for view, of_view in enumerate(readers[name].stores):
            _compute(kind, table, view, of_view, rows[name], workers, accelerator)
    accelerator.wait_for_everyone()
    return readers


def _take_over(
    kind: Kind, tables: Mapping[str, EpisodeTable], readers: Mapping[str, Rows], root: Path
) -> None:
    for name, table in tables.items():
        for view, stores in enumerate(readers[name].stores):
            copied = reuse(kind, table, view, stores, root)
            if copied:
                log.info("cache: %d rows of %s were there for other recordings", copied, name)


def _shapes(kind: Kind, table: EpisodeTable) -> dict[str, tuple[int, ...]]:
    one = kind.compute(stacked([kind.source(table)[Draw(table.task.name, 0, 0)]]))
    return {name: tuple(value.shape[1:]) for name, value in one.items()}


def _announce(
    kind: Kind,
    places: Mapping[tuple[str, int], Path],
    layouts: Mapping[str, Mapping[str, Layout]],
    root: Path,
) -> None:
    def size(name: str) -> int:
        return sum(layout.bytes for layout in layouts[name].values())

    total = sum(size(name) for name, _ in places)
    new = sum(size(name) for (name, _), folder in places.items() if not folder.is_dir())
    one = sum(layout.row_bytes for layout in next(iter(layouts.values())).values())
    log.info(
        "cache: %s of %d frames, %.1f kB each: %.2f GB in %s, of which %.2f GB are new",
        kind.name, total // one, one / 1e3, total / 1e9, root, new / 1e9,
    )  # fmt: skip
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if new > free:
        raise TrainingError(
            f"cache={kind.name} needs {new / 1e9:.1f} GB more in {root}, {free / 1e9:.1f} GB are "
            "free: set cache.folder to another disk, cache.dtype=bfloat16, or a smaller kind "
            "(cache=none needs nothing)"
        )


def _compute(
    kind: Kind,
    table: EpisodeTable,
    view: int,
    stores: Mapping[str, Store],
    rows: np.ndarray,
    workers: int,
    accelerator: Accelerator,
) -> None:
    drawn = table.drawn
    wanted = np.searchsorted(drawn, rows)
    missing = np.unique(np.concatenate([s.missing(wanted) for s in stores.values()]) // BLOCK)
    count = len(drawn)
    blocks = [np.arange(b * BLOCK, min((b + 1) * BLOCK, count)) for b in missing]
    own = blocks[accelerator.process_index :: accelerator.num_processes]
    if not own:
        return
    name = table.task.name
    loader = DataLoader(
        kind.source(table),
        batch_sampler=[[Draw(name, int(drawn[place]), view) for place in block] for block in own],
        num_workers=workers,
        collate_fn=stacked,
    )
    title = f"cache: {kind.name} of {name}" + (f", view {view + 1}" if kind.views > 1 else "")
    hidden = not accelerator.is_main_process
    written: list[np.ndarray] = []
    flushed = time.monotonic()
    with tqdm(total=len(own) * BLOCK, desc=title, unit=" frames", disable=hidden) as bar:
        try:
            for block, raw in zip(own, loader, strict=True):
                for key, value in kind.compute(raw).items():
                    stores[key].write(block, encoded(value, kind.dtype))
                written.append(block)
                bar.update(len(block))
                if time.monotonic() - flushed > FLUSH_EVERY:
                    _flush(stores, written)
                    flushed = time.monotonic()
        finally:
            _flush(stores, written)


def _flush(stores: Mapping[str, Store], written: list[np.ndarray]) -> None:
    if written:
        for store in stores.values():
            store.flush(np.concatenate(written))
        written.clear()
