"""`kuavo demo`: the shipped model through the real nodes, judged by the scene, filmed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from kuavo_cli.errors import UserError
from kuavo_eval.demo.run import FILM, run_demo
from kuavo_train.checkpoint.shipped import shipped_model

pytestmark = pytest.mark.ros

SEEDS = {"moving_grasp": 1000, "weighing": 1000, "placement": 1000, "sorting": 1000}
"""Scenes that no model was trained on."""


@pytest.fixture(autouse=True)
def in_shell(shell_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in shell_environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("task", SEEDS)
def test_the_shipped_model_does_the_task_through_the_nodes(task: str, tmp_path: Path) -> None:
    document = run_demo(shipped_model(), [task], SEEDS[task], tmp_path, ["kuavo", "demo"])
    (trial,) = document["trials"]
    assert trial["result"] == "success", trial
    folder = Path(document["folder"])
    with av.open(str(folder / FILM)) as film:
        frames = sum(1 for _ in film.decode(video=0))
    assert frames / 10 == pytest.approx(trial["duration"]["value"] + 1.0, abs=1.5)
    assert (folder / "report.html").is_file()


@pytest.mark.slow
def test_an_instruction_switches_the_running_policy(tmp_path: Path) -> None:
    said: list[str] = []
    tasks = ["weighing", "moving_grasp"]
    document = run_demo(shipped_model(), tasks, 1000, tmp_path, ["kuavo", "demo"], said.append)
    assert [trial["task"] for trial in document["trials"]] == tasks
    policies = (Path(document["folder"]) / "log" / "policy.txt").read_text().count("loaded on")
    assert policies == 1


def test_a_folder_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        run_demo(tmp_path / "nowhere", ["weighing"], 0, tmp_path / "out", ["kuavo"])
    assert not (tmp_path / "out").exists()


def test_without_ros_it_says_what_to_do(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"env\.sh"):
        run_demo(tiny_checkpoint, ["weighing"], 0, tmp_path / "out", ["kuavo"])
