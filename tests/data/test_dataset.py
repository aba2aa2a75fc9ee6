"""What is written is a LeRobot v3.0 dataset that stock lerobot reads, or nothing at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kuavo_cli.errors import UserError
from kuavo_deploy.robot import layout, topics
from kuavo_train.data.assemble import assemble
from kuavo_train.data.decoding import decoder
from kuavo_train.data.episode import EpisodeDataset, Frame
from kuavo_train.data.features import dataset_features, depth_from_rgb, depth_to_rgb
from kuavo_train.data.metadata import content_hash, read_episodes
from kuavo_train.data.workspace import ItemFolder, Workspace
from kuavo_train.tasks import task_named

WEIGHING, SORTING = task_named("weighing"), task_named("sorting")
SIZE = (64, 96)
SIZES = dict.fromkeys(topics.CAMERAS, SIZE)


def picture(episode: int, frame: int, camera: int) -> np.ndarray:
    image = np.zeros((*SIZE, 3), dtype=np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 20 + 40 * episode, 8 * frame, 60 + 50 * camera
    return image


def write(root: Path, lengths: list[int], task: str = "weighing") -> Path:
    definition = task_named(task)
    with Workspace(root, {"task": task}) as workspace:
        keys = [f"{i:03d}" for i in range(len(lengths))]
        for i, (key, length) in enumerate(zip(keys, lengths, strict=True)):
            with ItemFolder(workspace.items, key) as item:
                episode = EpisodeDataset(item.path, definition, SIZES)
                for k in range(length):
                    images = {c: picture(i, k, n) for n, c in enumerate(topics.CAMERAS)}
                    action = np.full(definition.action_dim, i + 0.01 * k)
                    episode.add(Frame(np.full(16, i - 0.01 * k), action, images))
                item.finish({"seed": 100 + i, **episode.finish()})
        assemble(workspace, definition, keys, {})
    return root


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "set", [11, 20, 3])


def test_stock_lerobot_reads_every_frame(dataset: Path) -> None:
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    read = LeRobotDataset("kuavo/weighing", root=dataset, video_backend=decoder())
    assert read.meta.info["codebase_version"] == "v3.0"
    assert (read.num_episodes, read.num_frames, read.fps) == (3, 34, 10)
    places = [(i, k) for i, n in enumerate([11, 20, 3]) for k in range(n)]
    for index, (i, k) in enumerate(places):
        item = read[index]
        assert item["task"] == WEIGHING.instruction
        assert item["timestamp"] == pytest.approx(k / 10)
        np.testing.assert_allclose(item["observation.state"], i - 0.01 * k, atol=1e-6)
        np.testing.assert_allclose(item["action"], i + 0.01 * k, atol=1e-6)
        for number, camera in enumerate(topics.CAMERAS):
            image = item[topics.IMAGE_FEATURES[camera]].numpy().transpose(1, 2, 0) * 255
            assert np.abs(image - picture(i, k, number)).mean() < 3, (i, k, camera)


def test_a_batch_through_a_dataloader(dataset: Path) -> None:
    import torch
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    chunk = {"action": [0.0, 0.1, 0.2]}
    read = LeRobotDataset("kuavo/x", root=dataset, video_backend=decoder(), delta_timestamps=chunk)
    batch = next(iter(torch.utils.data.DataLoader(read, batch_size=8, shuffle=True)))
    assert batch["action"].shape == (8, 3, 16)
    assert batch["observation.images.head_cam_h"].shape == (8, 3, *SIZE)


def test_names_units_and_statistics(dataset: Path) -> None:
    info = json.loads((dataset / "meta/info.json").read_text())
    assert info["robot_type"] == "kuavo"
    assert info["features"]["observation.state"]["names"] == list(layout.STATE_NAMES)
    assert info["features"]["action"]["shape"] == [16]
    assert info["features"]["observation.images.head_cam_h"]["dtype"] == "video"
    about = json.loads((dataset / "meta/kuavo.json").read_text())
    assert about["instruction"] == WEIGHING.instruction and about["units"]["arms"] == "rad"
    stats = json.loads((dataset / "meta/stats.json").read_text())
    assert stats["action"]["max"] == pytest.approx([2.02] * 15 + [2.02])
    assert np.shape(stats["observation.images.head_cam_h"]["mean"]) == (3, 1, 1)


def test_walking_tasks_have_20_numbers() -> None:
    features = dataset_features(SORTING.action_dim, SIZES)
    assert features["action"]["names"][16:] == ["base_x", "base_y", "base_yaw", "move"]
    assert features["observation.state"]["shape"] == (16,)
    with pytest.raises(ValueError, match="16 or 20"):
        dataset_features(17, SIZES)
    with pytest.raises(ValueError, match="choose from head_cam_h"):
        dataset_features(16, {"cam": SIZE})


def test_episodes_carry_metadata_and_a_hash_of_their_content(dataset: Path) -> None:
    episodes = read_episodes(dataset)
    assert [e["seed"] for e in episodes] == [100, 101, 102]
    k = 0.01 * np.arange(20, dtype=np.float64)[:, None]
    state = np.repeat(1 - k, 16, 1).astype(np.float32)
    action = np.repeat(1 + k, 16, 1).astype(np.float32)
    assert episodes[1]["sha256"] == content_hash(WEIGHING.instruction, state, action)
    action[3, 2] += 1e-6
    assert episodes[1]["sha256"] != content_hash(WEIGHING.instruction, state, action)


def test_depth_survives_the_round_trip() -> None:
    depth = np.random.default_rng(0).integers(0, 2**16, (40, 50), dtype=np.uint16)
    assert np.array_equal(depth_from_rgb(depth_to_rgb(depth)), depth)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_refused(tmp_path: Path, bad: float) -> None:
    episode = EpisodeDataset(tmp_path, WEIGHING, SIZES)
    state = np.zeros(16)
    state[5] = bad
    images = {c: picture(0, 0, 0) for c in topics.CAMERAS}
    with pytest.raises(ValueError, match="frame 0: the state is not finite"):
        episode.add(Frame(state, np.zeros(16), images))
    with pytest.raises(ValueError, match="two frames or more"):
        episode.finish()
    episode.abandon()


def test_nothing_half_written_is_seen(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError),
        Workspace(tmp_path / "d", {"a": 1}) as workspace,
        ItemFolder(workspace.items, "x") as item,
    ):
        (item.path / "half").write_text("…")
        raise RuntimeError
    assert not (tmp_path / "d").exists()
    assert list(workspace.items.iterdir()) == []


def test_another_job_or_process_may_not_continue(tmp_path: Path) -> None:
    with (
        Workspace(tmp_path / "d", {"seed": 1}) as first,
        pytest.raises(UserError, match="another process is working"),
        Workspace(tmp_path / "d", {"seed": 1}),
    ):
        pass
    with (
        pytest.raises(UserError, match="seed: 1 then, 2 now"),
        Workspace(tmp_path / "d", {"seed": 2}),
    ):
        pass
    with Workspace(tmp_path / "d", {"seed": 1}) as again:
        assert again.folder == first.folder


@pytest.mark.slow
def test_stock_lerobot_train_takes_two_steps(dataset: Path, tmp_path: Path) -> None:
    """With ACT, whose backbone needs no download when it starts from nothing."""
    command = [
        sys.executable, "-m", "lerobot.scripts.lerobot_train",
        "--dataset.repo_id=kuavo/weighing", f"--dataset.root={dataset}",
        f"--dataset.video_backend={decoder()}", "--policy.type=act", "--policy.device=cpu",
        "--policy.push_to_hub=false", "--policy.pretrained_backbone_weights=null",
        "--policy.chunk_size=4", "--policy.n_action_steps=4", "--policy.dim_model=32",
        "--policy.n_heads=2", "--policy.dim_feedforward=32", "--policy.n_encoder_layers=1",
        "--policy.use_vae=false", "--steps=2", "--batch_size=2", "--num_workers=0",
        "--wandb.enable=false", "--log_freq=1", f"--output_dir={tmp_path / 'run'}",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=280, check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "run/checkpoints/000002/pretrained_model/model.safetensors").is_file()
