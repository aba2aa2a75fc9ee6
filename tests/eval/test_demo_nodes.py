"""`kuavo demo`: a policy through the real nodes, judged by the scene, filmed."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from kuavo_cli.errors import UserError
from kuavo_deploy.executor.settings import load_start_postures
from kuavo_eval.demo.run import FILM, run_demo
from tests.deploy.tiny_policy import write_tiny_checkpoint

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("in_shell")]


@pytest.mark.slow
def test_a_policy_is_switched_judged_and_filmed(root: Path, tmp_path: Path) -> None:
    """It stands still, so it fails; everything around it is real."""
    postures = load_start_postures(root / "configs/deploy/start_postures.yaml")
    still = write_tiny_checkpoint(tmp_path / "still", postures["weighing"])
    tasks, said = ["weighing", "moving_grasp"], []
    document = run_demo(still, tasks, 1000, tmp_path, ["kuavo", "demo"], said.append)
    folder = Path(document["folder"])
    trials = document["trials"]
    assert [(trial["task"], trial["result"]) for trial in trials] == [(t, "failure") for t in tasks]
    assert (folder / "log" / "policy.txt").read_text().count("loaded on") == 1
    assert [line for line in said if "trial 2 of 2: moving_grasp" in line]
    with av.open(str(folder / FILM)) as film:
        frames = sum(1 for _ in film.decode(video=0))
    acted = sum(trial["duration"]["value"] for trial in trials)
    assert frames / 10 == pytest.approx(acted + 2.0, abs=2.5)
    assert (folder / "report.html").read_text(encoding="utf-8").count("<video") == 1


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
