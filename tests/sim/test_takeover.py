"""Whoever takes over from an expert, or from a policy, goes on where that one was."""

from __future__ import annotations

import pytest

from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.whims import Whims
from kuavo_sim.trials import play

EVERY = 11
"""Periods between the moments at which another expert takes over."""
LOST = 2.2
"""An expert that begins anew, with a glance at the thing from above, loses less [s]."""


@pytest.mark.parametrize("task", ["moving_grasp", "weighing", "placement"])
def test_an_expert_that_takes_over_at_any_moment_succeeds_and_loses_little_time(task: str) -> None:
    env = KuavoEnv(task, image_size=None)
    _, info = env.reset(seed=5001)
    expert, moments, periods = make_expert(env.sim, Whims(0.1, 1)), [], 0
    while not info["success"]:
        if periods % EVERY == EVERY // 2:
            moments.append(env.sim.snapshot())
        info, periods = env.step(expert.act())[4], periods + 1
    alone, lost = info["time"], []
    for moment in moments:
        env.resume(moment)
        played = play(env, env.info(), make_expert(env.sim, Whims(0.1, 2)).act)
        assert played.failure is None, (task, moment.data.time, played.failure)
        lost.append(played.info["time"] - alone)
    env.close()
    assert max(lost) < LOST and sorted(lost)[len(lost) // 2] < 0.6, lost
