"""The first part of a task is done unseen, recorded is from a stage on: more of what comes late.

The end of a long task is a few frames of each demonstration, and walking or carrying most of the
others. Nothing is rendered until the stage is reached, so an ending costs a part of a whole one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kuavo_cli.errors import UserError
from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.base import GivesUp
from kuavo_sim.experts.whims import Whims
from kuavo_sim.recording.disturbance import Disturbance
from kuavo_sim.recording.episodes import TURN, lead
from kuavo_sim.scenes import stages_of


class Ending(NamedTuple):
    """A `kuavo_sim.recording.episodes.LeadIn`.

    stage: of the task's rubric, after which the recording begins. disturbance [rad], whims: as of
    the recorded part, so that the robot stands and holds as it would have by then.
    """

    stage: str
    disturbance: float
    whims: float

    def __call__(self, env: KuavoEnv, info: dict[str, Any], seed: int) -> str | None:
        """Drive; see `LeadIn`."""
        expert = make_expert(env.sim, Whims(self.whims, [seed, 6]))
        disturb = Disturbance(self.disturbance, np.random.default_rng([seed, 2]))

        def over() -> str | None:
            return TURN if self.stage in env.sim.progress.stages else None

        def act() -> np.ndarray:
            if expert.done:
                raise GivesUp(TURN)
            return disturb(expert.act())

        ended = lead(env, info, act, over, "the expert")
        if ended is None and not over():
            return f"the expert did not get to {self.stage}"
        return ended

    def describe(self) -> dict[str, Any]:
        """All that decides its course."""
        return {"from": self.stage}


def ending(task: str, stage: str, disturbance: float, whims: float) -> Ending:
    """The one of a task from a stage on.

    Raises:
        UserError: the task has no such stage, or nothing comes after it.
    """
    stages = stages_of(task)[:-1]
    if stage not in stages:
        raise UserError(
            f"{task} has no stage {stage!r} to record from: choose from {', '.join(stages)}",
            exit_code=2,
        )
    return Ending(stage, disturbance, whims)
