"""Joining recordings: everything is there, in order; what does not go together is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_cli.main import app
from kuavo_sim.recording.record import record
from kuavo_train.data.check.episodes import DatasetFiles
from kuavo_train.data.decoding import decoded
from kuavo_train.data.join import join
from kuavo_train.data.metadata import ABOUT_FILE, read_episodes
from kuavo_train.data.workspace import Workspace

SIZE = (48, 64)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("parts")
    for name, episodes, seed in (("one", 2, 5), ("two", 1, 9)):
        record("weighing", episodes, seed, root / name, None, SIZE, 1, max_frames=5)
    return root / "one", root / "two"


def test_episodes_follow_each_other_with_their_numbers_and_pictures(
    parts: tuple[Path, Path], tmp_path: Path
) -> None:
    assert join(parts, tmp_path / "all") == 3
    whole = list(DatasetFiles(tmp_path / "all").episodes())
    single = [episode for part in parts for episode in DatasetFiles(part).episodes()]
    assert [e.notes["seed"] for e in whole] == [5, 6, 9]
    assert [e.notes["episode_index"] for e in whole] == [0, 1, 2]
    for joined, alone in zip(whole, single, strict=True):
        assert joined.notes["sha256"] == alone.notes["sha256"]
        assert np.array_equal(joined.state, alone.state)
        assert np.array_equal(joined.action, alone.action)
        for camera, video in joined.videos.items():
            pictures = list(decoded(*video, joined.length))
            expected = list(decoded(*alone.videos[camera], alone.length))
            assert np.array_equal(np.array(pictures), np.array(expected)), camera


def test_the_parts_stay_as_they_are(parts: tuple[Path, Path], tmp_path: Path) -> None:
    before = {p: p.read_bytes() for part in parts for p in part.rglob("*") if p.is_file()}
    join(parts, tmp_path / "all")
    assert {p: p.read_bytes() for part in parts for p in part.rglob("*") if p.is_file()} == before


def test_what_was_joined_can_be_joined_again(parts: tuple[Path, Path], tmp_path: Path) -> None:
    record("weighing", 1, 20, tmp_path / "three", None, SIZE, 1, max_frames=5)
    join(parts, tmp_path / "some")
    assert join([tmp_path / "some", tmp_path / "three"], tmp_path / "all") == 4
    assert [e["seed"] for e in read_episodes(tmp_path / "all")] == [5, 6, 9, 20]


def test_an_interrupted_call_is_repeated(
    parts: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Workspace, "complete_with", killed)
        join(parts, tmp_path / "all")
    assert (tmp_path / "all.partial" / "dataset").is_dir() and not (tmp_path / "all").exists()
    assert join(parts, tmp_path / "all") == 3
    assert not (tmp_path / "all.partial").exists()


def test_another_task_another_size_or_the_same_episode_are_refused(
    parts: tuple[Path, Path], tmp_path: Path
) -> None:
    record("placement", 1, 5, tmp_path / "other", None, SIZE, 1, max_frames=5)
    record("weighing", 1, 30, tmp_path / "large", None, (96, 128), 1, max_frames=5)
    record("weighing", 1, 6, tmp_path / "again", None, SIZE, 1, max_frames=5)
    for second, says in (
        ("other", "task_name is 'weighing' in one and 'placement'"),
        ("large", "features"),
        ("again", "episode 0 of .*again is episode 1 of .*one too"),
    ):
        with pytest.raises(UserError, match=says):
            join([parts[0], tmp_path / second], tmp_path / "all")
    assert not (tmp_path / "all").exists() and not (tmp_path / "all.partial").exists()


def test_too_few_no_dataset_and_an_existing_folder_are_refused(
    parts: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    with pytest.raises(UserError, match="two datasets or more"):
        join(parts[:1], tmp_path / "all")
    with pytest.raises(UserError, match="nothing is no dataset"):
        join([parts[0], tmp_path / "nothing"], tmp_path / "all")
    with pytest.raises(UserError, match="full exists: choose another --out"):
        join(parts, tmp_path / "full")


def test_the_command_says_what_it_made(parts: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "all"
    result = CliRunner().invoke(app, ["data", "join", *map(str, parts), "--out", str(out)])
    assert result.exit_code == 0 and f"3 episodes in {out}" in result.output.replace("\n", "")
    assert json.loads((out / ABOUT_FILE).read_text())["parts"] == ["simulation", "simulation"]
