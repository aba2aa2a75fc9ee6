"""The first part of a task is done unseen; recorded is what comes after a stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_cli.main import app
from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.base import Expert
from kuavo_sim.recording import endings
from kuavo_sim.recording.endings import Ending, ending
from kuavo_sim.recording.record import record
from kuavo_sim.scenes import stages_of
from kuavo_sim.simulation import Simulation
from kuavo_train.data.check.episodes import DatasetFiles

GRASPED = Ending("grasped", disturbance=0.02, whims=0.1)


def led(lead_in: Ending, task: str, seed: int) -> tuple[str | None, KuavoEnv]:
    env = KuavoEnv(task, image_size=(48, 64))
    _, info = env.reset(seed=seed)
    return lead_in(env, info, seed), env


def test_the_expert_drives_unseen_until_the_stage_is_reached() -> None:
    over, env = led(GRASPED, "weighing", 3)
    assert over is None and list(env.sim.progress.stages) == ["grasped"]
    assert env.cameras, "it sees again"
    assert env.sim.time == pytest.approx(env.sim.progress.stages["grasped"], abs=0.11)
    env.close()


def test_the_same_seed_gives_the_same_beginning_another_one_does_not() -> None:
    states = []
    for seed in (3, 3, 4):
        _, env = led(GRASPED, "weighing", seed)
        states.append(env.observe()["state"])
        env.close()
    np.testing.assert_array_equal(states[0], states[1])
    assert not np.allclose(states[0], states[2])


@pytest.mark.parametrize(("task", "stage"), [("weighing", "weighed"), ("sorting", "at_placement")])
def test_recorded_is_the_rest_and_it_succeeds(task: str, stage: str, tmp_path: Path) -> None:
    lead_in = ending(task, stage, 0.025, 0.1)
    record(task, 1, 4, tmp_path / "ends", image_size=(48, 64), workers=1, whims=0.1,
           disturbance=0.025, glance=0.12, lead_in=lead_in, draw_every=4)  # fmt: skip
    (episode,) = DatasetFiles(tmp_path / "ends").episodes()
    _, env = led(lead_in, task, int(episode.notes["seed"]))
    assert np.allclose(episode.state[0], env.observe()["state"], atol=1e-6)
    began = env.sim.time
    env.close()
    assert episode.notes["success"] and list(episode.notes["stages"]) == list(stages_of(task))
    assert episode.length / 10 < episode.notes["stages"][stages_of(task)[-1]] - began + 1.5
    if task == "sorting":
        assert np.abs(episode.action[:, 19]).max() == 0, "it stands where it stopped"


def test_an_expert_that_does_not_get_there_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def tired(sim: Simulation, rng: np.random.Generator) -> Expert:
        expert = make_expert(sim, rng)
        expert.done = True
        return expert

    monkeypatch.setattr(endings, "make_expert", tired)
    over, env = led(GRASPED, "weighing", 3)
    assert over == "the expert did not get to grasped" and not env.sim.progress.stages
    env.close()


@pytest.mark.parametrize("stage", ["in_bin", "lifted", ""])
def test_a_stage_that_nothing_follows_or_that_is_none_is_named_with_those_that_there_are(
    stage: str,
) -> None:
    with pytest.raises(UserError, match="choose from grasped, on_scale, weighed, re_grasped$"):
        ending("weighing", stage, 0.0, 1.0)


def test_only_one_may_say_how_an_episode_begins(tmp_path: Path) -> None:
    arguments = ["sim", "record", "--task", "weighing", "--out", str(tmp_path / "x")]
    result = CliRunner().invoke(app, [*arguments, "--from", "weighed", "--clumsy", "0.04"])
    assert isinstance(result.exception, UserError) and "give one of them" in str(result.exception)
    result = CliRunner().invoke(app, [*arguments, "--from", "placed"])
    assert isinstance(result.exception, UserError) and "'placed'" in str(result.exception)
    assert not list(tmp_path.iterdir())
