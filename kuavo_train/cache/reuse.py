"""Rows of the same episodes in another dataset's cache: recordings grow, what was computed stays.

A dataset that episodes were added to, or that was joined of others, has a cache of its own. The
rows of an episode that is in both are copied. An episode is the same when its states and actions
are; its pictures may differ all the same (another size, another encoding), so one row of each is
computed anew, and only where it agrees are the others believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kuavo_cli.jsonio import read_object
from kuavo_train.cache.key import Bounds, episodes_of
from kuavo_train.cache.kinds import Kind
from kuavo_train.cache.numbers import decoded
from kuavo_train.cache.store import HEADER, Layout, Store
from kuavo_train.episodes.samples import Draw
from kuavo_train.episodes.table import EpisodeTable
from kuavo_train.errors import TrainingError
from kuavo_train.policy.preprocessing import stacked

AGREES = 1e-3
"""Relative to the row's largest number; two sizes of the same picture differ by ten times more."""


def reuse(
    kind: Kind,
    table: EpisodeTable,
    view: int,
    stores: Mapping[str, Store],
    root: Path,
) -> int:
    """Copy what other caches under `root` hold of this table's episodes.

    Args:
        kind: of the rows.
        table: the recordings that they are of.
        view: variant of each frame.
        stores: by the batch's key; what is missing in them is filled.
        root: `cache.folder`.

    Returns:
        Rows copied.
    """
    copied, drawn = 0, table.drawn
    open_ = {
        key: (a, b)
        for key, (a, b) in episodes_of(table).items()
        if all(len(store.missing(np.arange(a, b))) == b - a for store in stores.values())
    }
    for others, theirs in _like(kind, table, view, stores, root) if open_ else ():
        for key in sorted(open_.keys() & theirs.keys()):
            (a, b), (c, d) = open_[key], theirs[key]
            if b - a != d - c or any(len(o.missing(np.arange(c, d))) for o in others.values()):
                continue
            if not _agrees(kind, table, view, drawn[a], {n: o[c] for n, o in others.items()}):
                continue
            for name, store in stores.items():
                store.write(np.arange(a, b), others[name].block(c, d))
                store.flush(np.arange(a, b))
            copied += b - a
            del open_[key]
    return copied


def _like(
    kind: Kind, table: EpisodeTable, view: int, stores: Mapping[str, Store], root: Path
) -> Iterator[tuple[dict[str, Store], dict[str, Bounds]]]:
    """Other folders of the same kind, weights and pictures' treatment; their episodes."""
    setting = kind.setting(table, view)
    own = {store.folder.parent for store in stores.values()}
    for folder in sorted(root.glob(f"{kind.name}-*/{table.task.name}")):
        if folder in own:
            continue
        headers = {name: read_object(folder / name / HEADER) or {} for name in stores}
        if any(header.get("setting") != setting for header in headers.values()):
            continue
        try:
            others = {
                name: Store(folder / name, _layout(header), {}) for name, header in headers.items()
            }
        except (TrainingError, OSError):
            continue  # damaged: whoever uses it is told
        alike = all(o.layout.shape == stores[n].layout.shape for n, o in others.items())
        if alike and all(o.layout.dtype == stores[n].layout.dtype for n, o in others.items()):
            episodes = next(iter(headers.values()))["episodes"]
            yield others, {key: (int(a), int(b)) for key, (a, b) in episodes.items()}


def _layout(header: Mapping[str, Any]) -> Layout:
    layout = header["layout"]
    return Layout(int(layout["rows"]), tuple(layout["shape"]), str(layout["dtype"]))


def _agrees(
    kind: Kind,
    table: EpisodeTable,
    view: int,
    row: int,
    kept: Mapping[str, np.ndarray],
) -> bool:
    """Is the row that was kept what would be computed now?"""
    raw = stacked([kind.source(table)[Draw(table.task.name, int(row), view)]])
    rounding = 2**-7 if kind.dtype == torch.bfloat16 else 0.0
    for name, value in kind.compute(raw).items():
        fresh, old = value[0].float().cpu(), decoded(kept[name], kind.dtype).float()
        largest = max(1.0, float(fresh.abs().max()))
        if float((fresh - old).abs().max()) > (AGREES + rounding) * largest:
            return False
    return True
