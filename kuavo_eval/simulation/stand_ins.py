"""Stand-ins for a policy: their scores are known, so a wrong score shows a wrong evaluation."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_eval.trials.schema import Latency, SafetyEvent
from kuavo_sim.env import CONTROL_HZ, KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.base import OutOfReach
from kuavo_sim.simulation import Simulation
from kuavo_sim.trials import expert_rng, play
from kuavo_train.policy.action_space import to_unified

CHUNK = 20
"""Steps of a stand-in's chunk."""
FOLLOW_THROUGH = 20
"""Actions that an expert goes on for after its success: a push does not end at the line."""


class ExpertDriver:
    """A task's expert at the controls, ten times a second, without images.

    Args:
        sim: reset. swapped: be the expert of the other task that the cell allows, if any.
    """

    latency: Latency | None = None
    resumed: float | None = None
    safety: Sequence[SafetyEvent] = ()

    def __init__(self, sim: Simulation, swapped: bool) -> None:
        self._sim, self._swapped = sim, swapped

    def command(self, task: str, instruction: str) -> None:
        """Be the expert of `task` from now on; of the scene's own where that is impossible."""
        known = list(self._sim.outcomes)
        task = task if task in known else self._sim.task
        if self._swapped:
            task = next((other for other in known if other != task), task)
        self._expert = make_expert(self._sim, expert_rng(self._sim.seed), task)
        self.resumed = self._sim.time

    def act(self) -> np.ndarray:
        """The expert's action."""
        return self._expert.act()

    def problem(self) -> str | None:
        """Nothing makes an expert's trial void."""
        return None


class Hold:
    """Stays at the observed posture."""

    cameras: tuple[str, ...] = ()
    instructions: dict[str, str] | None = None

    def plan(self, observation: Mapping[str, Any], sampling: Mapping[str, Any]) -> np.ndarray:
        """The present state, CHUNK times."""
        state = np.asarray(observation[topics.STATE_FEATURE], dtype=np.float64)
        return np.tile(to_unified(state), (CHUNK, 1))

    def to_own_scale(self, actions: np.ndarray) -> np.ndarray:
        """As they are."""
        return actions


class NotANumber(Hold):
    """As `Hold`, with a NaN in it."""

    def plan(self, observation: Mapping[str, Any], sampling: Mapping[str, Any]) -> np.ndarray:
        """Everything is fine but one number."""
        chunk = super().plan(observation, sampling)
        chunk[7, 7] = np.nan
        return chunk


class Demonstration(Hold):
    """The expert's motion in this very scene, rehearsed beforehand; from it, chunks by the clock.

    Succeeds only if every action is executed at the time for which it was planned, whatever the
    latency: the known answer for the asynchronous part.

    Args:
        task, seed: of the scene. sim: whose time it goes by.
    """

    def __init__(self, task: str, seed: int, sim: Simulation) -> None:
        self._sim = sim
        self._actions = rehearsal(task, seed)

    def plan(self, observation: Mapping[str, Any], sampling: Mapping[str, Any]) -> np.ndarray:
        """What the expert did from now on."""
        ends = self._sim.time * CONTROL_HZ + np.arange(CHUNK)  # action k is reached at k + 1
        known = np.arange(len(self._actions))
        return np.column_stack([np.interp(ends, known, column) for column in self._actions.T])


def rehearsal(task: str, seed: int) -> np.ndarray:
    """The actions of the task's expert, shape (T, 20), one per 0.1 s."""
    env = KuavoEnv(task, image_size=None)
    _, info = env.reset(seed=seed)
    expert = make_expert(env.sim, expert_rng(seed))
    actions: list[np.ndarray] = []

    def act() -> np.ndarray:
        actions.append(expert.act())
        return actions[-1]

    play(env, info, act)
    with contextlib.suppress(OutOfReach):
        for _ in range(FOLLOW_THROUGH):
            env.step(act())
    env.close()
    return np.array([to_unified(np.asarray(action)) for action in actions])


def chunk_stand_in(name: str, task: str, seed: int, sim: Simulation) -> Hold:
    """The stand-in of that name that speaks in chunks."""
    if name == "demonstration":
        return Demonstration(task, seed, sim)
    return {"hold": Hold, "nan": NotANumber}[name]()


__all__ = ["Demonstration", "ExpertDriver", "Hold", "NotANumber", "chunk_stand_in"]
