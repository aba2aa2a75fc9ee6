"""Configuration: what ships loads, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from kuavo_deploy.executor.settings import (
    ExecutorSettings,
    SettingsError,
    load_settings,
    load_start_postures,
)
from kuavo_train.tasks import load_tasks

from .world import LIMITS


def test_what_ships_loads_and_says_what_the_code_says(root: Path) -> None:
    assert load_settings(root / "configs/deploy/executor.yaml") == ExecutorSettings()


def test_changes_come_on_top(root: Path) -> None:
    settings = load_settings(root / "configs/deploy/executor.yaml", rate=50.0, deadman=0.5)
    assert (settings.rate, settings.deadman, settings.period) == (50.0, 0.5, 0.02)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raet: 100", "unknown raet: choose from rate, "),
        ("base: {speeed: 1}", "unknown base.speeed"),
        ("base: 3", "base must be names and values"),
        ("rate: 1000.0", "rate must be in 20…500"),
        ("rate: .nan", "rate must be in"),
        ("rate: fast", "rate: a float, not 'fast'"),
        ("rate: true", "rate: a float, not True"),
        ("base: {allowed: 1}", "base.allowed: a bool, not 1"),
        ("speed: 0", "speed must be in"),
        ("tracking_error: 0.35", "tracking_error must be smaller than lead, 0.35 rad"),
        ("[1, 2]", "expected names and values"),
    ],
)
def test_a_wrong_setting_is_named(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "executor.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_settings(file)


def test_every_task_has_a_start_posture_inside_the_limits(root: Path) -> None:
    postures = load_start_postures(root / "configs/deploy/start_postures.yaml")
    assert set(postures) == set(load_tasks())
    for posture in postures.values():
        assert (posture > LIMITS.lower).all() and (posture < LIMITS.upper).all()


def test_a_damaged_start_posture_is_named(tmp_path: Path) -> None:
    file = tmp_path / "postures.yaml"
    file.write_text("weighing: [1, 2, 3]")
    with pytest.raises(SettingsError, match="weighing needs 14"):
        load_start_postures(file)
    file.write_text(f"weighing: {[0.0] * 13 + [float('nan')]}")
    with pytest.raises(SettingsError, match="weighing needs 14"):
        load_start_postures(file)
