"""A task's demonstrations: the scale of its errors, and what a policy has to beat.

All episodes of the source count, those that a policy trained on too: none of them is scored by it.
For an episode's own baselines it is left out itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuavo_eval.metrics.baselines import NearestDemonstration, along, hold, mean_trajectory
from kuavo_eval.metrics.horizon import HorizonErrors
from kuavo_eval.metrics.normalized_error import demonstrated_spread, moved_joints
from kuavo_eval.offline.episodes import RecordedEpisode

HOLD, MEAN, NEAREST = BASELINES = ("hold", "mean_trajectory", "nearest_demonstration")


class Demonstrations:
    """Of one task.

    Attributes:
        range: q95 − q05 of the demonstrated action, shape (D,).
        spread: the same, 0 for numbers that the task does not move: what errors are divided by.
        mean_state: shape (16,).
    """

    def __init__(self, episodes: Sequence[RecordedEpisode]) -> None:
        self._episodes = list(episodes)
        actions = [episode.actions for episode in episodes]
        self.range = demonstrated_spread(actions)
        self.spread = np.where(moved_joints(actions), self.range, 0.0)
        self.mean_state = np.concatenate([e.states for e in episodes]).mean(axis=0)

    def baselines(
        self, episode: RecordedEpisode, frames: np.ndarray, steps: int
    ) -> dict[str, HorizonErrors]:
        """The baselines' errors at some frames of an episode; only `hold` without another one."""
        recorded, valid = episode.chunks(frames, steps)
        chunks = {HOLD: hold(episode.states, episode.actions, steps)[frames]}
        others = [other for other in self._episodes if other.key != episode.key]
        if others:
            mean = mean_trajectory([other.actions for other in others], len(episode))
            chunks[MEAN] = along(mean, len(episode), steps)[frames]
            nearest = NearestDemonstration([o.states for o in others], [o.actions for o in others])
            chunks[NEAREST] = nearest.chunks(episode.states[frames], steps)
        return {name: HorizonErrors.of(c, recorded, valid) for name, c in chunks.items()}
