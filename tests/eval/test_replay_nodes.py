"""A bag through the real nodes: an oracle's plans come out as the recorded commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kuavo_eval.replay.capture import FILE, Capture
from kuavo_eval.replay.score import read_recorded, score
from kuavo_train.data.bags.options import Options
from kuavo_train.tasks import task_named
from tests.deploy.ros_island import Island, until

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def island(shell_environment: dict[str, str], tmp_path: Path) -> Iterator[Island]:
    island = Island(shell_environment, tmp_path)
    island.master()
    yield island
    island.end()


def test_recorded_plans_come_out_as_the_recorded_commands(
    island: Island, root: Path, tmp_path: Path
) -> None:
    bag = next((root / "samples" / "bags" / "weighing").glob("*.bag"))
    out = tmp_path / "out"
    out.mkdir()
    launch = island.start(
        "roslaunch", "--wait", "kuavo_deploy", "replay_eval.launch", f"bag:={bag}", f"out:={out}",
        "policy:=false", "rate:=0.3",
    )  # fmt: skip
    island.start("python", str(root / "tests" / "eval" / "recorded_plans.py"), str(bag), "weighing")
    until(lambda: launch.poll() is not None, "the replay ends", 400)
    assert (out / FILE).exists(), (tmp_path / "output.txt").read_text()[-3000:]
    recorded = read_recorded(bag, task_named("weighing"), Options())
    result = score(recorded, Capture.load(out))
    assert not result.void and result.covered > 0.5, result
    assert result.arm_error(result.shadow).mean() < 0.02
