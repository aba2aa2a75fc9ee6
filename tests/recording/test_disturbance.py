"""Disturbed demonstrations: offsets of the asked size, recorded actions that the expert wanted."""

from __future__ import annotations

import numpy as np

from kuavo_deploy.robot.layout import ARM_INDICES, BASE_POSE, HAND_INDICES, MOVE
from kuavo_sim.recording.disturbance import BASE_OFFSET, Disturbance
from kuavo_sim.recording.record import record
from kuavo_train.data.check.episodes import DatasetFiles

ARMS, HANDS = list(ARM_INDICES), list(HAND_INDICES)


def test_offsets_wander_about_nothing_with_the_drawn_deviation():
    disturb = Disturbance(0.02, np.random.default_rng(1))
    offsets = np.array([disturb(np.zeros(16)) for _ in range(5000)])
    assert 0 < disturb.deviation <= 0.02
    np.testing.assert_allclose(offsets[:, ARMS].std(axis=0), disturb.deviation, rtol=0.25)
    steps = np.abs(np.diff(offsets[:, ARMS], axis=0)).mean()
    assert steps < 0.6 * disturb.deviation, "an offset wanders, it does not shake"
    assert not offsets[:, HANDS].any()


def test_the_base_stops_beside_its_goal_and_always_at_the_same_offset():
    disturb = Disturbance(0.02, np.random.default_rng(2))
    walking = np.zeros(20)
    walking[MOVE] = 1.0
    offsets = np.array([disturb(walking)[BASE_POSE] for _ in range(5)])
    assert (np.abs(offsets) <= BASE_OFFSET).all() and offsets.any()
    assert (offsets == offsets[0]).all()
    standing = disturb(np.zeros(20))
    assert not standing[BASE_POSE].any()


def test_no_disturbance_changes_nothing():
    disturb = Disturbance(0.0, np.random.default_rng(3))
    action = np.random.default_rng(4).normal(size=20)
    np.testing.assert_array_equal(disturb(action), action)


def test_recorded_is_what_the_expert_wanted(tmp_path):
    options = {"episodes": 1, "seed": 3, "image_size": (48, 64), "workers": 1, "max_frames": 12}
    record("placement", out=tmp_path / "calm", **options)
    record("placement", out=tmp_path / "pushed", disturbance=0.05, **options)
    calm, pushed = (next(DatasetFiles(tmp_path / n).episodes()) for n in ("calm", "pushed"))
    # it looks where the thing is, which the simulation moves by less than a hair
    np.testing.assert_allclose(calm.action, pushed.action, atol=1e-4)
    away = np.abs(calm.state - pushed.state)[2:, ARMS].mean()
    assert away > 1e-4


def test_a_negative_disturbance_is_refused():
    from typer.testing import CliRunner

    from kuavo_sim.cli import app

    result = CliRunner().invoke(
        app, ["record", "--task", "placement", "--out", "x", "--disturbance", "-1"]
    )
    assert result.exit_code == 2
    assert "disturbance" in result.output

