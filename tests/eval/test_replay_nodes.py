"""Bags through the real nodes: an oracle's plans come out as the recorded commands."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from kuavo_eval.folder import REPLAY, SCORES, read_scores
from tests.deploy.ros_island import Island, until
from tests.deploy.tiny_policy import write_tiny_checkpoint

from .page_numbers import check_page

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def island(shell_environment: dict[str, str], tmp_path: Path) -> Iterator[Island]:
    island = Island(shell_environment, tmp_path)
    island.master()
    yield island
    island.end()


def bag_of(root: Path, task: str) -> Path:
    return next((root / "samples" / "bags" / task).glob("*.bag"))


@pytest.mark.parametrize("task", ["weighing", "sorting"])
def test_recorded_plans_come_out_as_the_recorded_commands(
    island: Island, root: Path, tmp_path: Path, task: str
) -> None:
    bag, out = bag_of(root, task), tmp_path / "out"
    launch = island.start(
        "roslaunch", "--wait", "kuavo_deploy", "replay_eval.launch", f"bag:={bag}", f"out:={out}",
        f"task:={task}", "policy:=false", "rate:=0.3",
    )  # fmt: skip
    island.start("python", str(root / "tests" / "eval" / "recorded_plans.py"), str(bag), task)
    until(lambda: launch.poll() is not None, "the replay ends", 800)
    assert (out / SCORES).exists(), (tmp_path / "output.txt").read_text()[-3000:]
    document = read_scores(out, REPLAY)
    (played,) = document["bags"]
    assert not played["void"] and played["covered"]["value"] > 0.5, played
    assert document["arms_error"]["value"] < 0.02
    assert document["skill"]["value"] > 0.5
    if task == "sorting":
        # the handed-over walk begins when the arms stand, and its poses stay within reach
        assert document["base"]["agrees"]["value"] > 0.8
        assert document["base"]["distance"]["value"] < 0.05
        assert document["base"]["heading"]["value"] < 0.05


def test_a_checkpoint_is_scored_on_bags_and_what_is_no_bag_is_void(
    shell_environment: dict[str, str], root: Path, tmp_path: Path
) -> None:
    posture = yaml.safe_load((root / "configs/deploy/start_postures.yaml").read_text())["weighing"]
    checkpoint = write_tiny_checkpoint(tmp_path / "checkpoint", np.array(posture))
    broken = tmp_path / "broken.bag"
    broken.write_bytes(bag_of(root, "weighing").read_bytes()[:9000])
    done = subprocess.run(
        ["kuavo", "eval", "replay", str(bag_of(root, "weighing")), str(broken), "--task=weighing",
         f"--checkpoint={checkpoint}", "--rate=0.3", "--device=cpu", "--out=replayed"],
        env=shell_environment, cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "void: broken.bag" in done.stdout
    document = json.loads((tmp_path / "replayed" / "scores.json").read_text())
    played, void = document["bags"]
    assert not played["void"] and played["covered"]["value"] > 0.5
    assert void["void"] and void["arms_error"]["value"] is None and document["void"] == 1
    # it stays near the start posture while the recorded arms move on
    assert 0.02 < document["arms_error"]["value"] < 1.0 and document["latency"]["value"] > 0
    check_page(tmp_path / "replayed")
