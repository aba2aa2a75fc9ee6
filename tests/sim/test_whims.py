"""Small whims: the same demonstrator each time, in the middle of what it might do."""

from __future__ import annotations

import numpy as np
import pytest

from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.whims import Whims


def test_full_whims_are_the_plain_generator() -> None:
    plain, whims = np.random.default_rng(5), Whims(1.0, 5)
    assert whims.uniform(2.0, 3.0) == pytest.approx(plain.uniform(2.0, 3.0))
    assert np.allclose(whims.uniform(-1, 1, 3), plain.uniform(-1, 1, 3))
    assert np.allclose(whims.normal(1.0, [1.0, 2.0]), plain.normal(1.0, [1.0, 2.0]))


def test_without_whims_every_draw_is_its_middle() -> None:
    whims = Whims(0.0, 5)
    assert whims.uniform(0.85, 1.2) == pytest.approx(1.025)
    assert np.allclose(whims.uniform(-1, 1, 3), 0) and np.allclose(whims.normal(2.0, [1, 2]), 2)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_draws_stay_within_their_share_of_the_range(share: float) -> None:
    whims = Whims(share, 0)
    draws = np.array([whims.uniform(10.0, 20.0) for _ in range(500)])
    assert draws.min() >= 15 - 5 * share and draws.max() <= 15 + 5 * share
    assert draws.std() == pytest.approx(share * 10 / np.sqrt(12), rel=0.1)


@pytest.mark.parametrize("task", ["weighing", "moving_grasp", "placement", "sorting"])
def test_an_expert_without_whims_does_the_same_twice_and_with_whims_not(task: str) -> None:
    def second_of(share: float, seed: int) -> np.ndarray:
        env = KuavoEnv(task, image_size=None)
        env.reset(seed=3)
        expert = make_expert(env.sim, Whims(share, seed))
        actions = []
        for _ in range(25):
            actions.append(expert.act())
            env.step(actions[-1])
        env.close()
        return np.array(actions)

    assert np.allclose(second_of(0.0, 1), second_of(0.0, 2))
    assert not np.allclose(second_of(1.0, 1), second_of(1.0, 2))
