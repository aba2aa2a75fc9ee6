"""From afar a demonstrator sees things a little off; from near it gets straight, then closes in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kuavo_sim.env import CONTROL_HZ, KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.base import LOOK
from kuavo_sim.experts.whims import Whims
from kuavo_sim.recording.glances import Glances
from kuavo_sim.recording.record import record
from kuavo_sim.simulation import Simulation
from kuavo_sim.trials import play
from kuavo_train.data.check.episodes import DatasetFiles

FARTHEST = 0.045


def test_places_are_off_evenly_over_a_disc_and_heights_less() -> None:
    glances = Glances(FARTHEST, np.random.default_rng(0))
    off = np.array([glances() for _ in range(4000)])
    aside = np.linalg.norm(off[:, :2], axis=1)
    assert aside.max() <= FARTHEST and np.abs(off[:, 2]).max() <= 0.3 * FARTHEST
    assert np.abs(off.mean(axis=0)).max() < 0.002, "no side is preferred"
    assert np.mean(aside < FARTHEST / np.sqrt(2)) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("task", ["moving_grasp", "weighing", "placement", "sorting"])
def test_the_hand_arrives_beside_gets_straight_and_the_task_succeeds(task: str) -> None:
    for seed in (430, 431):
        env = KuavoEnv(task, image_size=None)
        _, info = env.reset(seed=seed)
        expert = make_expert(env.sim, Whims(0.0, seed))
        expert.misjudged = lambda: np.array([0.0, FARTHEST, 0.0])
        aside = Aside(env.sim)
        result = play(env, info, expert.act, aside).info
        env.close()
        assert result["success"], result
        assert max(aside.seen[-25 : -round(LOOK * CONTROL_HZ)]) > 0.02, "it arrived beside"
        assert aside.seen[-1] < 0.012, "and closed in straight"


class Aside:
    """How far the thing is beside the middle of the right hand, until that first closes [m]."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._closed = False
        self.seen: list[float] = []

    def __call__(self) -> None:
        """After every period."""
        self._closed = self._closed or self._sim.robot.hand_command[1] > 0.2
        if not self._closed:
            tcp = self._sim.data.site("r_tcp")
            across = tcp.xmat.reshape(3, 3)[:, 1]
            thing = self._sim.data.body(self._sim.scene.graspable[0]).xpos
            self.seen.append(abs(float(across @ (thing - tcp.xpos))))


def test_recordings_show_it(tmp_path: Path) -> None:
    options = {"episodes": 1, "seed": 430, "image_size": (48, 64), "workers": 1, "max_frames": 15}
    record("placement", out=tmp_path / "seen", **options)
    record("placement", out=tmp_path / "glanced", glance=FARTHEST, **options)
    seen, glanced = (next(DatasetFiles(tmp_path / n).episodes()) for n in ("seen", "glanced"))
    assert np.abs(seen.action - glanced.action).max() > 0.03
