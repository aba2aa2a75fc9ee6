"""Data that must not be trained on is refused, and the message says where and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kuavo_train.data.metadata import EPISODES_FILE
from kuavo_train.episodes.table import CAMERA_FEATURES, open_table
from kuavo_train.errors import DataError

from .recordings import hold_images, record


@pytest.fixture
def weighing(tasks):
    return tasks["weighing"]


def opened(tasks, root, fps=10):
    return open_table(tasks["weighing"], root, tasks, fps)


def test_missing_dataset_says_how_to_point_to_it(tasks, tmp_path):
    with pytest.raises(DataError, match=r"task 2 \(weighing\).*data\.roots\.task2=FOLDER"):
        opened(tasks, tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_wrong_camera_set_is_named(tasks, weighing, tmp_path):
    record(weighing, tmp_path / "d", 2, cameras=("head_cam_h", "wrist_cam_l", "chest"))
    with pytest.raises(DataError) as raised:
        opened(tasks, tmp_path / "d")
    assert "misses observation.images.wrist_cam_r" in str(raised.value)
    assert "has unknown observation.images.chest" in str(raised.value)
    assert ", ".join(CAMERA_FEATURES) in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"action_dim": 20}, r"action has shape \(20,\), this task has \(16,\)"),
        ({"state_dim": 14}, r"observation\.state has shape \(14,\), this task has \(16,\)"),
        ({"fps": 30}, r"recorded at 30 frames per second, training expects 10"),
    ],
)
def test_wrong_dimensions_or_rate(tasks, weighing, tmp_path, options, message):
    record(weighing, tmp_path / "d", 2, **options)
    with pytest.raises(DataError, match=message):
        opened(tasks, tmp_path / "d")


def test_chunks_begin_where_the_cameras_drew(tasks, weighing, tmp_path):
    root = hold_images(record(weighing, tmp_path / "d", 3, frames=7), [1, 3, 4])
    table = opened(tasks, root)
    assert table.rows([1]).tolist() == [7, 10, 13]
    assert table.drawn.tolist() == [*range(7), 7, 10, 13, 14, 18]


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ('{"drawn_every": 3}', "has 2 episodes.*says of 1 at which frames"),
        ('{"drawn_every": 0}\n{}', r"kuavo_episodes\.jsonl is damaged: drawn_every is 0"),
        ("{", r"kuavo_episodes\.jsonl is damaged"),
        ('{"drawn_every": "x"}\n{}', r"kuavo_episodes\.jsonl is damaged"),
        ("[]", r"kuavo_episodes\.jsonl is damaged"),
    ],
)
def test_notes_that_do_not_tell_where_the_cameras_drew(tasks, weighing, tmp_path, notes, message):
    record(weighing, tmp_path / "d", 2)
    (tmp_path / "d" / EPISODES_FILE).write_text(notes)
    with pytest.raises(DataError, match=message):
        opened(tasks, tmp_path / "d")


def test_recordings_of_another_task(tasks, weighing, tmp_path):
    record(weighing, tmp_path / "d", 2, instruction=tasks["sorting"].instruction)
    with pytest.raises(DataError, match=r"instruction of task 4 \(sorting\).*data\.roots\.task2"):
        opened(tasks, tmp_path / "d")


def test_another_wording_is_told_the_registrys_instruction(tasks, weighing, tmp_path):
    record(weighing, tmp_path / "d", 2, instruction="Pick and Place")
    assert opened(tasks, tmp_path / "d").task.instruction == weighing.instruction


def rewrite(root: Path, column: str, row: int, value: float) -> None:
    file = next((root / "data").rglob("*.parquet"))
    table = pq.read_table(file)
    values = np.stack(table[column].to_numpy(zero_copy_only=False)).astype(np.float32)
    values[row, 5] = value
    changed = pa.array(list(values), type=table.schema.field(column).type)
    table = table.set_column(
        table.schema.get_field_index(column), table.schema.field(column), changed
    )
    pq.write_table(table, file)


@pytest.mark.parametrize("column", ["observation.state", "action"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite_numbers_are_named_by_episode_and_frame(
    tasks, weighing, tmp_path, column, value
):
    root = record(weighing, tmp_path / "d", 3)
    rewrite(root, column, 13, value)
    kind = column.split(".")[-1]
    with pytest.raises(DataError, match=rf"{kind} is not finite in episode 1, frame 3 \(1 such"):
        opened(tasks, root)


def test_an_empty_episode(tasks, weighing, tmp_path):
    root = record(weighing, tmp_path / "d", 3)
    file = next((root / "meta" / "episodes").rglob("*.parquet"))
    table = pq.read_table(file)
    place = table.schema.get_field_index("dataset_to_index")
    table = table.set_column(place, "dataset_to_index", pa.array([10, 10, 30], type=pa.int64()))
    pq.write_table(table, file)
    with pytest.raises(DataError, match="episode 1 is empty"):
        opened(tasks, root)


def test_a_truncated_dataset(tasks, weighing, tmp_path):
    root = record(weighing, tmp_path / "d", 3)
    file = next((root / "data").rglob("*.parquet"))
    pq.write_table(pq.read_table(file).slice(0, 25), file)
    with pytest.raises(DataError, match="25 frames, the episodes say 30"):
        opened(tasks, root)


def test_another_format_names_the_command_that_converts_it(tasks, weighing, tmp_path):
    root = record(weighing, tmp_path / "d", 2)
    info = json.loads((root / "meta" / "info.json").read_text())
    (root / "meta" / "info.json").write_text(json.dumps({**info, "codebase_version": "v2.1"}))
    command = f"convert_dataset_v21_to_v30 --root={tmp_path} --repo-id=d --push-to-hub=false"
    with pytest.raises(DataError, match=r"format v2\.1, training reads v3\.0") as raised:
        opened(tasks, root)
    assert command in str(raised.value)
    (root / "meta" / "info.json").write_text("{")
    with pytest.raises(DataError, match=r"meta/info\.json is damaged"):
        opened(tasks, root)


def test_no_episodes(tasks, weighing, tmp_path):
    root = record(weighing, tmp_path / "d", 2)
    info = json.loads((root / "meta" / "info.json").read_text())
    info.update(total_episodes=0, total_frames=0)
    (root / "meta" / "info.json").write_text(json.dumps(info))
    file = next((root / "meta" / "episodes").rglob("*.parquet"))
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    with pytest.raises(DataError, match="cannot be read|has no episodes"):
        opened(tasks, root)


def test_video_and_image_datasets_give_the_same_kind_of_sample(tasks, weighing, tmp_path):
    for name, video in (("i", False), ("v", True)):
        table = opened(tasks, record(weighing, tmp_path / name, 2, video=video))
        image = table.frame_images(3)["observation.images.head_cam_h"]
        assert image.shape == (3, 24, 32)
        assert 0 <= float(image.min()) <= float(image.max()) <= 1
