"""Where a policy fails, the expert shows the way out, from moments of what went wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_cli.main import app
from kuavo_eval.simulation.learner import policy_learner
from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.base import GivesUp
from kuavo_sim.recording import rescues
from kuavo_sim.recording.rescues import Rescues, rescue
from kuavo_train.data.check.episodes import DatasetFiles
from kuavo_train.data.metadata import read_about, read_episodes

HOW = Rescues((48, 64), seconds=0.8, moments=3, whims=0.1)


class Student(NamedTuple):
    """Knows the expert's way, and stops `moves` seconds after each time that it takes over.

    breaks: it then gives up instead of standing still.
    """

    moves: float
    breaks: bool = False
    command_hz: int = 10

    def drive(self, env: KuavoEnv, seed: int) -> Callable[[], np.ndarray]:
        expert, until = make_expert(env.sim, np.random.default_rng(seed)), env.sim.time + self.moves

        def act() -> np.ndarray:
            if env.sim.time < until:
                return expert.act()
            if self.breaks:
                raise GivesUp("an arm is broken")
            return expert.action()

        return act

    def describe(self) -> dict[str, Any]:
        return self._asdict()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescues, "PATIENCE", 2.5)


def rescued(out: Path, student: Student, task: str = "placement", **more: Any) -> dict[str, Any]:
    return rescue(task, student, out=out, how=HOW._replace(**more), scenes=1, seed=7)


def test_a_policy_that_gets_stuck_is_helped_on_stage_by_stage(tmp_path: Path) -> None:
    report = rescued(tmp_path / "out", Student(moves=0.5))
    failures = report["failures"]["7"]
    assert failures[0] == "stuck (after start)" and len(failures) > 2
    stages = [failure.split("after ")[1] for failure in failures]
    assert len(set(stages)) == len(stages), "every chance begins at a new stage"
    assert report["alone"] == 0 and report["scenes"] == 1
    assert report["episodes"] == len(read_episodes(tmp_path / "out"))


def test_rescues_begin_at_moments_of_what_went_wrong(tmp_path: Path) -> None:
    rescued(tmp_path / "out", Student(moves=1.0))
    env = KuavoEnv("placement", image_size=None)
    env.reset(seed=7)
    act = Student(moves=1.0).drive(env, 7)
    states = [env.observe()["state"]]
    for _ in range(60):
        states.append(env.step(act())[0]["state"])
    env.close()
    first = read_episodes(tmp_path / "out")[: HOW.moments]
    begins = [e.state[0] for e in DatasetFiles(tmp_path / "out").episodes()][: HOW.moments]
    assert len({note["moment"] for note in first}) == HOW.moments
    for note, begin in zip(first, begins, strict=True):
        assert 0.0 <= note["moment"] <= 5.1, "until it was stuck"
        assert np.allclose(states[round(10 * note["moment"])], begin, atol=1e-5)


def test_all_but_one_of_a_failures_rescues_are_cut(tmp_path: Path) -> None:
    rescued(tmp_path / "out", Student(moves=0.5))
    lengths = [note["length"] for note in read_episodes(tmp_path / "out")][: HOW.moments]
    assert lengths[:-1] == [8] * (HOW.moments - 1)
    assert lengths[-1] > 8, "until the next stage, where the policy gets another chance"


def test_a_rescue_moves_from_its_first_frame_on(tmp_path: Path) -> None:
    """A policy that is stuck must not learn to wait before it goes on."""
    rescued(tmp_path / "out", Student(moves=0.0), task="weighing")
    for episode in DatasetFiles(tmp_path / "out").episodes():
        assert np.abs(episode.action[0] - episode.state[0]).max() > 0.005


class Slow:
    """Looks around for so many periods, then moves by a tenth in each."""

    def __init__(self, periods: int) -> None:
        self._acted, self._periods, self.done = 0, periods, False

    def action(self) -> np.ndarray:
        return np.full(16, 0.1 * max(0, self._acted - self._periods))

    def act(self) -> np.ndarray:
        self._acted += 1
        return self.action()


@pytest.mark.parametrize("periods", [0, 3, 9])
def test_looking_around_and_beginning_from_rest_is_left_out(periods: int) -> None:
    expert = Slow(periods)
    assert rescues._under_way(expert)  # type: ignore[arg-type]
    assert expert.action()[0] == pytest.approx(0.3)


def test_who_only_waits_shows_no_way_out() -> None:
    assert not rescues._under_way(Slow(periods=100))  # type: ignore[arg-type]


def test_what_is_lost_for_good_is_rescued_from_before_that(tmp_path: Path) -> None:
    # nobody takes the parcel, and the belt throws it into the tray
    how = {"moments": 8}
    report = rescued(tmp_path / "out", Student(moves=0.0), task="moving_grasp", **how)
    assert report["failures"]["7"][0] == "stuck (after start)"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rescues, "PATIENCE", 30.0)
        report = rescued(tmp_path / "tray", Student(moves=0.0), task="moving_grasp", **how)
    assert "tray" in report["failures"]["7"][0]
    notes = read_episodes(tmp_path / "tray")
    assert notes and any("grasped" in note["stages"] for note in notes)


def test_a_policy_that_is_stopped_is_rescued_too(tmp_path: Path) -> None:
    report = rescued(tmp_path / "out", Student(moves=1.0, breaks=True))
    assert report["failures"]["7"][0] == "an arm is broken (after start)"
    assert report["episodes"] >= HOW.moments


def test_where_nothing_fails_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescues, "PATIENCE", 7.0)
    with pytest.raises(UserError, match="nothing to rescue: weighing was done in all 1 scenes"):
        rescued(tmp_path / "out", Student(moves=60.0), task="weighing")
    assert not (tmp_path / "out").exists()


def test_the_same_seed_gives_the_same_rescues_also_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two(out: Path) -> None:
        rescue("placement", Student(moves=0.5), 2, 7, out, HOW._replace(moments=2))

    two(tmp_path / "whole")
    finish = rescues.ItemFolder.finish

    def interrupted(item: Any, result: Any) -> None:
        if item.path.name.startswith(".000000008_001"):
            raise KeyboardInterrupt
        finish(item, result)

    monkeypatch.setattr(rescues.ItemFolder, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        two(tmp_path / "parts")
    monkeypatch.setattr(rescues.ItemFolder, "finish", finish)
    assert not (tmp_path / "parts").exists()
    two(tmp_path / "parts")
    for name in ("whole", "parts"):
        assert {note["seed"] for note in read_episodes(tmp_path / name)} == {7, 8}
    hashes = [[note["sha256"] for note in read_episodes(tmp_path / n)] for n in ("whole", "parts")]
    assert hashes[0] == hashes[1]
    two(tmp_path / "parts")  # is there: nothing is done


def test_a_policys_rescues_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def who_holds_still(*given: Any, threads: int) -> Any:
        asked.append(given)
        return policy_learner("hold", *given[1:], threads)

    monkeypatch.setattr("kuavo_eval.simulation.learner.policy_learner", who_holds_still)
    out, told = tmp_path / "out", tmp_path / "report.json"
    command = ["sim", "rescue", "--task", "weighing", "--policy", "model", "--latency", "0.1",
               "--scenes", "1", "--seed", "3", "--seconds", "0.8", "--moments", "2",
               "--height", "48", "--width", "64", "--workers", "1",
               "--out", str(out), "--json", str(told)]  # fmt: skip
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert asked == [(Path("model"), (48, 64), 0.1)]
    assert "the policy did 0 of 1 scenes alone" in done.output
    assert json.loads(told.read_text())["episodes"] == len(read_episodes(out))
    assert read_about(out)["task_name"] == "weighing"


def test_a_policy_that_gives_nothing_usable_is_named() -> None:
    env = KuavoEnv("weighing", image_size=(48, 64))
    env.reset(seed=3)
    act = policy_learner("nan", (48, 64), 0.1, 1).drive(env, 3)
    with pytest.raises(UserError, match="nan cannot drive: .*not finite"):
        for _ in range(300):
            env.step(act())
    env.close()
