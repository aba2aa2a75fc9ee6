"""`run_demo`: one filmed episode, on a master of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from kuavo_sim.ros.demo import DemoFailed, run_demo
from kuavo_train.tasks.registry import UnknownTask

pytestmark = pytest.mark.ros


@pytest.mark.slow
def test_a_demo_ends_with_a_summary_and_a_video(in_shell: None, tmp_path: Path) -> None:
    said: list[str] = []
    summary: dict[str, Any] = run_demo("weighing", 3, tmp_path / "demo", said.append)
    assert summary["success"]
    assert list(summary["stages"])[-1] == "in_bin"
    assert [line for line in said if "in_bin" in line]
    with av.open(str(Path(summary["folder"]) / summary["video"])) as film:
        frames = sum(1 for _ in film.decode(video=0))
    assert frames == summary["video_frames"]
    assert frames / 10 == pytest.approx(summary["duration_s"] + 1.0, abs=1.0)


def test_a_wrong_task_is_explained(in_shell: None, tmp_path: Path) -> None:
    with pytest.raises(UnknownTask, match="2 weighing"):
        run_demo("wieghing", 0, tmp_path, lambda line: None)
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_cannot_start_says_why(in_shell: None, tmp_path: Path) -> None:
    with pytest.raises(DemoFailed, match="seed is 0"):
        run_demo("weighing", -1, tmp_path, lambda line: None)


def test_without_ros_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DemoFailed, match=r"env\.sh"):
        run_demo("weighing", 0, tmp_path / "out")
    assert not (tmp_path / "out").exists()
