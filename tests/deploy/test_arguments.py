"""Launch arguments are checked before anything starts; a wrong one says what is valid."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kuavo_deploy.policy.arguments import main
from kuavo_deploy.policy.settings import load_policy_settings
from kuavo_train.checkpoint.manifest import Lineage, Manifest, TaskRecord

GOOD = ["end_effector=claw", "robot_version=45", "instruction="]


@pytest.mark.parametrize("said", ["weighing", "2", "快递袋称重", "task2_weighing", " Weighing "])
def test_a_task_may_be_named_in_every_way(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"task={said}", *GOOD]) == 0
    assert capsys.readouterr().out == "weighing"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("task=weihing", "choose from 1 moving_grasp"),
        ("checkpoint=/nowhere", "no checkpoint at /nowhere"),
        ("end_effector=hook", "unknown end effector 'hook': choose from"),
        ("robot_version=99", "no limits for robot version 99"),
        ("robot_version=new", "a number such as 45"),
        (f"instruction={'x' * 500}", "at most 400 characters"),
        ("device=gpu", "choose from auto, cpu, cuda"),
        ("rate=fast", "rate:=fast: a number is expected"),
        ("rate=1000", "rate must be in 20…500"),
        ("speed=2", "speed must be in 0.01…1"),
        ("claw_closed_at=50", "closed_at is 0 or 100"),
        ("deadman=-1", "deadman must be in 0…10"),
        ("record_to=runs", "the path must be absolute: record_to:=/"),
        ("record_to=/nowhere", "mkdir -p /nowhere"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_valid(
    wrong: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["task=weighing", wrong]) == 1
    assert said in capsys.readouterr().err


def test_where_a_run_is_recorded_matters_only_when_it_is() -> None:
    assert main(["task=weighing", "record=false", "record_to=/nowhere"]) == 0
    assert main(["task=weighing", "record=true", "record_to=/nowhere"]) == 1


def test_a_checkpoint_that_was_not_trained_on_the_task_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = [TaskRecord(1, "moving_grasp", "Grasp.", 16, "")]
    manifest = Manifest({}, "", Lineage("", "1", 0, 0, tasks, "", [], {}))
    (tmp_path / "manifest.json").write_text(manifest.to_json())
    assert main(["task=1", f"checkpoint={tmp_path}"]) == 0
    assert main(["task=sorting", f"checkpoint={tmp_path}"]) == 1
    assert "was not trained on it; it knows moving_grasp" in capsys.readouterr().err
    (tmp_path / "manifest.json").write_text("{}")
    assert main(["task=1", f"checkpoint={tmp_path}"]) == 1
    assert "damaged" in capsys.readouterr().err


def test_a_relative_checkpoint_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "manifest.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert main(["checkpoint=best"]) == 0
    assert capsys.readouterr().out == str(tmp_path / "best")


@pytest.mark.ros
def test_a_wrong_task_stops_the_launch_with_the_right_ones(
    shell_environment: dict[str, str],
) -> None:
    done = subprocess.run(
        ["roslaunch", "kuavo_deploy", "policy.launch", "task:=weihing"],
        env=shell_environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    for name in ("moving_grasp", "weighing", "placement", "sorting"):
        assert name in done.stdout + done.stderr


def test_the_policy_s_settings_that_ship_load_and_wrong_ones_are_named(
    root: Path, tmp_path: Path
) -> None:
    settings = load_policy_settings(root / "configs" / "deploy" / "policy.yaml")
    assert (settings.continuation, settings.planner.step) == ("rtc", 0.1)
    assert settings.observations.age_of("hands") == 1.0
    file = tmp_path / "policy.yaml"
    for text, said in (
        ("continuation: magic", "choose from blend, rtc"),
        ("instructions: any", "choose from known, nearest, free"),
        ("dtype: float16", "choose from float32, bfloat16, int8"),
        ("intervall: 1", "unknown intervall"),
        ("interval: 0", "interval must be in"),
        ("noise: 1.5", "noise is 1.5: a share"),
        ("noise: true", "noise is True: a share"),
        ("observations: {max_age: {hands: -1}}", "max_age of hands must be in"),
        ("observations: {age: 1}", "unknown age"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=said):
            load_policy_settings(file)
