"""A clumsy demonstrator makes mistakes, the expert gets out of them, and only that is recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kuavo_cli.main import app
from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.whims import Whims
from kuavo_sim.recording.clumsy import Clumsy
from kuavo_sim.recording.record import record
from kuavo_sim.trials import play
from kuavo_train.data.check.episodes import DatasetFiles

LATER = Clumsy(0.04, earliest=5.0, longest=7.0, latest=7.0)


def led(clumsy: Clumsy, task: str, seed: int) -> tuple[str | None, KuavoEnv]:
    env = KuavoEnv(task, image_size=(48, 64))
    _, info = env.reset(seed=seed)
    return clumsy(env, info, seed), env


@pytest.mark.parametrize("task", ["moving_grasp", "weighing", "placement", "sorting"])
def test_the_expert_mostly_succeeds_after_a_clumsy_beginning(task: str) -> None:
    outcomes = []
    for seed in range(400, 404):
        over, env = led(LATER, task, seed)
        if over is None:
            assert 0.0 < env.sim.time <= 7.2 and env.cameras, "it sees again"
            expert = make_expert(env.sim, Whims(0.1, seed))
            info = env.info()
            outcomes.append(bool(play(env, info, expert.act).info["success"]))
        env.close()
    assert len(outcomes) >= 2 and 2 * sum(outcomes) >= len(outcomes), outcomes


def test_what_it_sees_is_off_and_so_is_its_hand() -> None:
    apart = []
    for squint in (0.0, 0.05):
        hands = []
        for seed in range(410, 414):
            over, env = led(Clumsy(squint, 6.0, 6.1, notices=10.0, latest=6.1), "weighing", seed)
            assert over is None
            tcp, parcel = env.sim.data.site("r_tcp").xpos, env.sim.data.body("parcel").xpos
            hands.append(float(np.linalg.norm((tcp - parcel)[:2])))
            env.close()
        apart.append(float(np.mean(hands)))
    assert apart[1] > apart[0] + 0.01, apart


def test_in_some_episodes_the_expert_begins_itself() -> None:
    over, env = led(Clumsy(0.04, earliest=-8.0, longest=0.0), "weighing", 1)
    assert over is None and env.sim.time == 0.0
    env.close()


def test_the_same_seed_goes_wrong_the_same_way() -> None:
    ends = []
    for _ in range(2):
        _, env = led(LATER, "moving_grasp", 402)
        ends.append((env.sim.time, env.observe()["state"]))
        env.close()
    assert ends[0][0] == ends[1][0]
    np.testing.assert_array_equal(ends[0][1], ends[1][1])


def test_recorded_is_the_right_experts_part(tmp_path: Path) -> None:
    record("weighing", 1, 4, tmp_path / "led", image_size=(48, 64), workers=1, max_frames=4,
           lead_in=LATER)  # fmt: skip
    _, env = led(LATER, "weighing", 4)
    (episode,) = DatasetFiles(tmp_path / "led").episodes()
    assert np.allclose(episode.state[0], env.observe()["state"], atol=1e-6)
    env.close()


def test_one_lead_in_at_a_time(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app,
        ["sim", "record", "--task", "weighing", "--out", str(tmp_path / "out"), "--clumsy",
         "0.03", "--from", "weighed"],
    )  # fmt: skip
    assert result.exit_code != 0 and not (tmp_path / "out").exists()
    assert "--clumsy and --from" in str(result.exception)


def test_at_times_it_goes_on_with_an_empty_hand_and_the_expert_takes_the_thing_again() -> None:
    ends = []
    for seed in range(30020, 30030):
        over, env = led(Clumsy(0.04), "sorting", seed)
        closed = env.sim.robot.hand_command[1] > 0.9
        if over is None and closed and env.sim.grasps.held_by("r") is None:
            expert = make_expert(env.sim, Whims(0.1, seed))
            ends.append(bool(play(env, env.info(), expert.act).info["success"]))
        env.close()
    assert len(ends) >= 2 and all(ends), ends
