"""Demonstrations after something else has happened: only the expert's part is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from kuavo_cli.errors import UserError
from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.recording.record import record
from kuavo_train.data.check.episodes import DatasetFiles, Episode
from kuavo_train.data.metadata import read_episodes

SIZE = (48, 64)


class OtherHand(NamedTuple):
    """The expert's own first second, by another demonstrator; odd seeds leave nothing to do."""

    periods: int = 10

    def __call__(self, env: KuavoEnv, info: dict[str, Any], seed: int) -> str | None:
        if seed % 2:
            return "done already"
        expert = make_expert(env.sim, np.random.default_rng([seed, 9]))
        for _ in range(self.periods):
            env.step(expert.act())
        return None

    def describe(self) -> dict[str, Any]:
        return {"periods": self.periods}


def only_episode(root: Path) -> Episode:
    (episode,) = DatasetFiles(root).episodes()
    return episode


def test_the_recording_begins_where_the_lead_in_ended(tmp_path: Path) -> None:
    record("weighing", 1, 4, tmp_path / "plain", image_size=SIZE, workers=1, max_frames=4)
    record(
        "weighing", 1, 4, tmp_path / "led", image_size=SIZE, workers=1, max_frames=4,
        lead_in=OtherHand(),
    )  # fmt: skip
    env = KuavoEnv("weighing", image_size=None)
    _, info = env.reset(seed=4)
    start = env.observe()["state"]
    OtherHand()(env, info, 4)
    end = env.observe()["state"]
    env.close()
    assert np.abs(end - start).max() > 0.05
    assert np.allclose(only_episode(tmp_path / "plain").state[0], start, atol=1e-6)
    assert np.allclose(only_episode(tmp_path / "led").state[0], end, atol=1e-6)


def test_seeds_with_nothing_left_to_show_are_passed_over(tmp_path: Path) -> None:
    report = record(
        "weighing", 2, 4, tmp_path / "led", image_size=SIZE, workers=1, max_frames=4,
        lead_in=OtherHand(3),
    )  # fmt: skip
    assert report["seeds"] == [4, 6]
    assert report["failed_seeds"] == {"5": "done already"}
    assert [e["length"] for e in read_episodes(tmp_path / "led")] == [4, 4]


def test_many_seeds_with_nothing_left_are_no_sign_of_a_broken_expert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kuavo_sim.recording.record.PATIENCE", 0)
    report = record(
        "weighing", 2, 3, tmp_path / "led", image_size=SIZE, workers=1, max_frames=4,
        lead_in=OtherHand(1),
    )  # fmt: skip
    assert report["seeds"] == [4, 6]


def test_another_lead_in_makes_another_recording(tmp_path: Path) -> None:
    out = tmp_path / "led"
    common: dict[str, Any] = {"image_size": SIZE, "workers": 1, "max_frames": 4}
    record("weighing", 1, 4, out, lead_in=OtherHand(3), **common)
    assert record("weighing", 1, 4, out, lead_in=OtherHand(3), **common)["episodes"] == 1
    for other in (None, OtherHand(4)):
        with pytest.raises(UserError, match="exists: choose another --out"):
            record("weighing", 1, 4, out, lead_in=other, **common)


class AllButTheLast(NamedTuple):
    """Another demonstrator does seed 4 until so many periods before its success."""

    periods: int

    def __call__(self, env: KuavoEnv, info: dict[str, Any], seed: int) -> str | None:
        return OtherHand(self.periods)(env, info, seed) if seed == 4 else None

    def describe(self) -> dict[str, Any]:
        return {"periods": self.periods}


def test_where_a_single_frame_is_left_nothing_is_recorded(tmp_path: Path) -> None:
    env = KuavoEnv("weighing", image_size=None)
    env.reset(seed=4)
    expert, periods, success = make_expert(env.sim, np.random.default_rng([4, 9])), 0, False
    while not success:
        success, periods = bool(env.step(expert.act())[4]["success"]), periods + 1
    env.close()
    out = tmp_path / "led"
    record("weighing", 1, 4, out, image_size=SIZE, workers=1, lead_in=AllButTheLast(periods - 1))
    (episode,) = read_episodes(out)
    assert episode["seed"] == 5
