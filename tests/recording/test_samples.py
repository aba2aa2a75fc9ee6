"""The recordings that the repository carries: small, whole, and alike as datasets and bags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kuavo_deploy.robot import topics
from kuavo_sim.recording.samples import BAG_FRAMES, IMAGE_SIZE
from kuavo_sim.scenes import SCENES
from kuavo_train.data.check.episodes import DatasetFiles
from kuavo_train.data.check.run import check_dataset
from kuavo_train.data.conversion import convert
from kuavo_train.data.decoding import decoded
from kuavo_train.tasks import task_named

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
MEGABYTES = 8


def test_they_are_a_few_megabytes() -> None:
    files = [file for file in SAMPLES.rglob("*") if file.is_file()]
    assert 0 < sum(file.stat().st_size for file in files) < MEGABYTES * 1_000_000


@pytest.mark.parametrize("task", SCENES)
def test_stock_lerobot_reads_them_without_being_told_how(task: str) -> None:
    import torch
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    read = LeRobotDataset(f"kuavo/{task}", root=SAMPLES / "datasets" / task)
    assert read.num_episodes == 1
    assert read[0]["task"] == task_named(task).instruction
    batch = next(iter(torch.utils.data.DataLoader(read, batch_size=4, shuffle=True)))
    assert batch["action"].shape == (4, task_named(task).action_dim)
    for feature in topics.IMAGE_FEATURES.values():
        assert batch[feature].shape == (4, 3, *IMAGE_SIZE)


@pytest.mark.parametrize("task", SCENES)
def test_the_check_finds_nothing(task: str) -> None:
    checked = check_dataset(SAMPLES / "datasets" / task)
    assert checked.errors == [] and checked.warnings == []


@pytest.mark.parametrize("task", SCENES)
def test_the_bag_converts_to_the_beginning_of_the_dataset(task: str, tmp_path: Path) -> None:
    report = convert(SAMPLES / "bags" / task, task_named(task), tmp_path / "converted")
    assert [row["status"] for row in report.rows] == ["converted"]
    (whole,) = DatasetFiles(SAMPLES / "datasets" / task).episodes()
    (start,) = DatasetFiles(tmp_path / "converted").episodes()
    assert start.length == BAG_FRAMES
    np.testing.assert_allclose(start.state, whole.state[:BAG_FRAMES], atol=1e-5)
    np.testing.assert_allclose(start.action, whole.action[:BAG_FRAMES], atol=1e-5)
    for camera in start.videos:
        ours = frames(start.videos[camera])
        theirs = frames(whole.videos[camera])
        # two lossy steps apart: JPEG of quality 70 and H.264
        assert np.abs(ours - theirs).mean(axis=(1, 2, 3)).max() < 8, camera
        if camera.endswith("head_cam_h"):
            shifted = np.abs(ours[1:] - theirs[:-1]).mean()
            assert np.abs(ours - theirs).mean() < shifted, "each image has its own moment"


def frames(video: tuple[Path, int]) -> np.ndarray:
    """The first frames of an episode, shape (n, H, W, 3)."""
    return np.array(list(decoded(*video, BAG_FRAMES)), dtype=np.float32)
