"""The demo's film: images grouped by stamp, a steady video, the episode's begin and end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from kuavo_sim.ros.cameras import encode_jpeg
from kuavo_sim.ros.episode_watch import TIME_UP, EpisodeWatch
from kuavo_sim.ros.mosaic import Groups, Video, compose, decode_jpeg

SECOND = 1_000_000_000


def grey(value: int) -> np.ndarray:
    return np.full((90, 120, 3), value, np.uint8)


def test_a_group_is_complete_with_all_its_cameras() -> None:
    groups = Groups(["a", "b"])
    assert groups.add("a", 1, b"a1") is None
    assert groups.add("a", 2, b"a2") is None
    assert groups.add("b", 2, b"b2") == {"a": b"a2", "b": b"b2"}
    assert groups.add("b", 1, b"b1") is None


def test_incomplete_groups_do_not_pile_up() -> None:
    groups = Groups(["a", "b"], keep=3)
    for stamp in range(1000):
        groups.add("a", stamp, b"")
    assert groups.add("b", 0, b"") is None
    assert groups.add("b", 999, b"") is not None


def test_mosaic_holds_every_image_and_its_name() -> None:
    picture = compose({"one": grey(50), "two": grey(100), "three": grey(150)}, "text", (90, 120))
    assert picture.shape == (2 * 90 + 28, 240, 3)
    assert picture[60, 60, 0] == 50
    assert picture[60, 180, 0] == 100
    assert picture[150, 60, 0] == 150
    assert picture[150, 180, 0] == 0


def test_video_fills_gaps_and_appears_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    video = Video(path, fps=10)
    for stamp in (5.0, 5.1, 5.4):
        video.add(grey(100), round(stamp * SECOND))
    assert not path.exists()
    video.close()
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        assert float(container.duration) / av.time_base == pytest.approx(0.5, abs=0.01)
    assert len(frames) == video.frames == 5
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


def test_an_abandoned_video_leaves_nothing(tmp_path: Path) -> None:
    video = Video(tmp_path / "film.mp4", fps=10)
    video.add(grey(100), 0)
    video.abandon()
    assert list(tmp_path.iterdir()) == []


def test_a_video_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("mine")
    with pytest.raises(FileExistsError, match=r"film\.mp4 exists"):
        Video(tmp_path / "film.mp4", fps=10)
    assert (tmp_path / "film.mp4").read_text() == "mine"


def test_jpeg_round_trip_keeps_the_colours() -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 0] = 200
    assert np.abs(decode_jpeg(encode_jpeg(image, 95)).astype(int) - image).max() < 8
    with pytest.raises(ValueError, match="not a JPEG"):
        decode_jpeg(b"nothing")


def state(time: float, **changes: Any) -> dict[str, Any]:
    base = {
        "task": "weighing", "seed": 3, "instruction": "weigh", "time": time, "time_limit": 40.0,
        "stages": {}, "stage": "start", "success": False, "failure": None, "refused_commands": 0,
    }  # fmt: skip
    return {**base, **changes}


def test_states_of_the_scene_before_are_skipped() -> None:
    watch = EpisodeWatch(before=7.5)
    watch.see(state(7.6, success=True))
    assert watch.outcome is None
    watch.see(state(0.1))
    assert watch.state["time"] == 0.1
    watch.see(state(9.0))
    assert watch.state["time"] == 9.0


@pytest.mark.parametrize(
    ("last", "outcome"),
    [
        ({"success": True}, "success"),
        ({"failure": "the parcel is on the floor"}, "the parcel is on the floor"),
    ],
)
def test_the_end_is_filmed_for_a_while(last: dict[str, Any], outcome: str) -> None:
    watch = EpisodeWatch(before=100.0, tail=1.0)
    watch.see(state(12.0, **last))
    assert watch.outcome == outcome
    assert not watch.over
    watch.see(state(13.0, **last))
    assert watch.over
    assert watch.summary()["duration_s"] == 12.0


def test_time_up_is_an_end_too() -> None:
    watch = EpisodeWatch(before=100.0, tail=0.0)
    watch.see(state(40.0))
    assert watch.outcome == TIME_UP
    assert watch.over


def test_news_are_told_once() -> None:
    watch = EpisodeWatch(before=100.0)
    watch.see(state(3.0, stages={"grasped": 2.5}))
    assert watch.take_news() == ["  2.5 s  grasped"]
    assert watch.take_news() == []
