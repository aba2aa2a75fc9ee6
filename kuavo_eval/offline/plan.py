"""Which frames of a task are looked at, and for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kuavo_eval.offline import options as parts
from kuavo_eval.offline.episodes import RecordedEpisode
from kuavo_eval.offline.options import Options

SHOWN = 6
"""Frames of each episode that a report may show."""


@dataclass(frozen=True)
class FramePlan:
    """Frames of one task's scored episodes: by episode, ascending frame indices.

    predict: where actions are predicted. loss: where the loss is computed. probe: what is tried
    many times. show: what a report may show. every: predictions are so many frames apart.
    """

    predict: tuple[np.ndarray, ...]
    loss: tuple[np.ndarray, ...]
    probe: tuple[np.ndarray, ...]
    show: tuple[np.ndarray, ...]
    every: int

    def wanted(self, episode: int) -> np.ndarray:
        """All frames of an episode that must be decoded."""
        kinds = (self.predict, self.loss, self.probe, self.show)
        return np.unique(np.concatenate([kind[episode] for kind in kinds]))


def plan_frames(
    episodes: Sequence[RecordedEpisode], options: Options, shown: bool, steps: int
) -> FramePlan:
    """Choose frames.

    Args:
        episodes: of one task.
        options: see there.
        shown: whether pictures are wanted.
        steps: of the shortest chunk: predictions further apart would leave gaps between chunks.
    """
    lengths = [len(episode) for episode in episodes]
    every = options.every
    if options.frames is not None:
        thinned = int(np.ceil(sum(lengths) / options.frames))
        every = max(every, min(thinned, steps))
    nothing = tuple(np.zeros(0, np.int64) for _ in lengths)
    probing = any(map(options.has, (parts.SAMPLING, parts.LANGUAGE, parts.MODALITIES)))
    predict = tuple(np.arange(0, length, every) for length in lengths)
    return FramePlan(
        predict=predict if options.has(parts.ERROR) else nothing,
        loss=_spread(lengths, options.loss_frames) if options.has(parts.LOSS) else nothing,
        probe=_spread(lengths, options.probe_frames) if probing else nothing,
        show=tuple(np.unique(np.linspace(0, n - 1, SHOWN).round().astype(int)) for n in lengths)
        if shown
        else nothing,
        every=every,
    )


def _spread(lengths: Sequence[int], count: int) -> tuple[np.ndarray, ...]:
    """At most `count` of all frames, evenly spread, as training's validation takes them."""
    total = sum(lengths)
    rows = np.arange(total)
    if total > count:
        rows = np.linspace(0, total - 1, count).round().astype(int)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    return tuple(rows[(rows >= a) & (rows < b)] - a for a, b in zip(starts, ends, strict=True))
