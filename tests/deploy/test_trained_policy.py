"""A real checkpoint behind the seam: preprocessing, guidance, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kuavo_deploy.policy.policies import TrainedPolicy
from kuavo_deploy.robot import topics
from kuavo_train.errors import CheckpointError

from .tiny_policy import CHUNK, write_tiny_checkpoint
from .world import MIDDLE


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "best", MIDDLE)


def observation() -> dict:
    rng = np.random.default_rng(0)
    features = topics.IMAGE_FEATURES.values()
    images = {feature: rng.integers(0, 255, (48, 64, 3), np.uint8) for feature in features}
    return {**images, "observation.state": np.zeros(16, np.float32), "task": "weigh it"}


def test_a_checkpoint_tells_its_cameras_instructions_and_device_and_plans(checkpoint: Path) -> None:
    policy = TrainedPolicy(checkpoint, "cpu")
    assert policy.cameras == topics.CAMERAS
    assert policy.device == "cpu"
    assert "weighing" in (policy.instructions or {})
    chunk = policy.plan(observation(), {})
    assert chunk.shape == (CHUNK, 20) and chunk.dtype == np.float64
    assert np.isfinite(chunk).all()


@pytest.mark.parametrize("engine", ["fast", "stock"])
def test_two_halves_are_the_whole(checkpoint: Path, engine: str) -> None:
    policy, seen = TrainedPolicy(checkpoint, "cpu", engine=engine, graphs=True), observation()
    images = {name: value for name, value in seen.items() if name != "observation.state"}
    policy.warm_up()
    whole, halves = [], []
    for text in (*(policy.instructions or {}).values(), "something else"):
        torch.manual_seed(0)
        whole.append(policy.plan({**seen, "task": text}, {}))
        policy.see({**images, "task": "tell me"} if not halves else {"task": "tell me"})
        policy.see({"task": text})
        torch.manual_seed(0)
        halves.append(policy.act(seen["observation.state"], {}))
    assert np.abs(np.subtract(whole, halves)).max() < 1e-6
    assert np.abs(whole[0] - whole[1]).max() > 1e-4, "the text counts"


@pytest.mark.parametrize("engine", ["fast", "stock"])
def test_a_chunk_starts_from_the_share_of_noise_that_is_wanted(
    checkpoint: Path, engine: str
) -> None:
    """0: always the same chunk, that of no noise; in between, a share of the draw."""
    seen = observation()
    images = {name: value for name, value in seen.items() if name != "observation.state"}
    whole = TrainedPolicy(checkpoint, "cpu", engine=engine)
    for share in (0.0, 0.5):
        policy = TrainedPolicy(checkpoint, "cpu", engine=engine, noise=share)
        torch.manual_seed(0)
        chunk = policy.plan(seen, {})
        torch.manual_seed(0)
        expected = whole.plan(seen, {"noise": share * torch.randn(1, CHUNK, 32)})
        assert np.array_equal(chunk, expected)
        policy.see(images)
        torch.manual_seed(0)
        assert np.abs(policy.act(seen["observation.state"], {}) - chunk).max() < 1e-6
        torch.manual_seed(1)
        assert np.array_equal(policy.plan(seen, {}), chunk) == (share == 0.0)


def test_a_flipped_byte_in_a_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "best", MIDDLE)
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        TrainedPolicy(folder, "cpu")


@pytest.mark.parametrize("engine", ["fast", "stock"])
def test_a_guided_chunk_begins_like_what_is_being_executed(checkpoint: Path, engine: str) -> None:
    policy = TrainedPolicy(checkpoint, "cpu", engine=engine)
    torch.manual_seed(0)
    first = policy.plan(observation(), {})
    torch.manual_seed(1)
    free = policy.plan(observation(), {})
    torch.manual_seed(1)
    sampling = {
        "prev_chunk_left_over": policy.to_own_scale(first[4:]),
        "inference_delay": 4,
        "execution_horizon": 10,
    }
    guided = policy.plan(observation(), sampling)
    gap_free = np.abs(free[:4] - first[4:8]).mean()
    gap_guided = np.abs(guided[:4] - first[4:8]).mean()
    assert gap_guided < 0.5 * gap_free
