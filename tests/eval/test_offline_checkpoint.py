"""A real checkpoint behind the seam: the robot's own preprocessing, the training's own loss."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kuavo_cli.errors import UserError
from kuavo_deploy.robot.topics import IMAGE_FEATURES, STATE_FEATURE
from kuavo_eval.offline import Options, Source, score
from kuavo_eval.offline.datasets import open_dataset
from kuavo_eval.offline.frames import Frame, FrameBatch, batch_of
from kuavo_eval.offline.policies import CheckpointPolicy, open_policies, unique_labels
from kuavo_train.checkpoint.reader import open_checkpoint
from kuavo_train.episodes.samples import Samples
from kuavo_train.episodes.table import open_table
from kuavo_train.policy.flow_loss import FlowLoss
from kuavo_train.sequential.validation import Validator
from kuavo_train.tasks import load_tasks
from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper
from tests.train.recordings import record

TASKS = load_tasks()
WEIGHING, SORTING = TASKS["weighing"], TASKS["sorting"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("recordings")
    for task in (WEIGHING, SORTING):
        record(task, root / task.name, episodes=2, frames=30)
    return root


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint) -> Path:
    torch.set_num_threads(1)
    return tiny_checkpoint


@pytest.fixture(scope="module")
def policy(checkpoint) -> CheckpointPolicy:
    return open_policies([checkpoint], "cpu", "float32")[0]


@pytest.fixture(scope="module")
def batch(recorded) -> FrameBatch:
    """Frames 0, 7 and 29 of one episode, 3 of another."""
    episodes = open_dataset(WEIGHING, recorded / "weighing", TASKS).episodes
    wanted = [(0, 0), (0, 7), (0, 29), (1, 3)]
    images = [list(episode.images()) for episode in episodes]
    frames = [Frame(e, i, images[e][i]) for e, i in wanted]
    return batch_of(frames, episodes, 0, [0, 1, 2, 3])


def raw(batch: FrameBatch, n: int) -> dict:
    """What the robot's planner hands to the policy."""
    return {**batch.images[n], STATE_FEATURE: batch.states[n], "task": WEIGHING.instruction}


def test_preprocessing_is_the_robots_bit_for_bit(batch, checkpoint, policy):
    wrapper = SmolVLAPolicyWrapper.from_pretrained(checkpoint, "cpu")
    ours = policy._prepared(batch, [WEIGHING.instruction] * 4)
    for n in range(4):
        theirs = wrapper.preprocess(raw(batch, n))
        assert set(theirs) == set(ours)
        for name, value in theirs.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(ours[name][n], value[0]), name


def test_a_batch_predicts_what_single_frames_do(batch, checkpoint, policy):
    wrapper = SmolVLAPolicyWrapper.from_pretrained(checkpoint, "cpu")
    chunks = policy.predict(batch, [WEIGHING.instruction] * 4, 0)
    assert chunks.shape == (4, policy.chunk_size, 20)
    noise = policy._noise(batch, 0)
    for n in range(4):
        alone = wrapper.predict_action_chunk(raw(batch, n), noise[n : n + 1])
        np.testing.assert_allclose(chunks[n], alone.numpy(), atol=1e-5)


def test_what_was_seen_is_not_looked_at_again_and_changes_nothing(batch, policy, monkeypatch):
    """Another draw or another joint state: the same numbers as from a policy that looks again."""
    told = [WEIGHING.instruction] * 4
    changed = batch.with_states(batch.states + 0.1)
    looked = []
    for run in ((batch, told, 1), (changed, told, 0), (batch, ["other"] * 4, 0)):
        policy._seen = None
        looked.append(policy.predict(*run))
    seen: list[int] = []
    real = policy._engine.see
    monkeypatch.setattr(policy._engine, "see", lambda *a: (seen.append(1), real(*a)))
    policy._seen = None
    again = [policy.predict(*run) for run in ((batch, told, 1), (changed, told, 0))]
    assert len(seen) == 1
    again.append(policy.predict(batch, ["other"] * 4, 0))
    assert len(seen) == 2
    for one, other in zip(looked, again, strict=True):
        np.testing.assert_array_equal(one, other)
    black = [{name: np.zeros_like(i) for name, i in images.items()} for images in batch.images]
    policy.predict(batch.with_images(black, list(black[0])), ["other"] * 4, 0)
    assert len(seen) == 3


def test_noise_belongs_to_the_frame_and_the_sample(batch, policy):
    told = [WEIGHING.instruction] * 4
    first = policy.predict(batch, told, 0)
    np.testing.assert_array_equal(policy.predict(batch, told, 0), first)
    assert np.abs(policy.predict(batch, told, 1) - first).max() > 1e-3
    noise = policy._noise(batch, 0)
    assert not torch.equal(noise[0], noise[1])
    assert (noise[..., 20:] == 0).all()


def test_the_loss_is_the_trainings_validation_loss(recorded, checkpoint, policy):
    """Same frames, noise and times: the same number, for standing and walking tasks."""
    tables = {t.name: open_table(t, recorded / t.name, TASKS, 10) for t in (WEIGHING, SORTING)}
    settings = SimpleNamespace(frames=25, sampled_frames=0, seed=0)
    samples = Samples(tables, policy.chunk_size, policy._size)
    held_out = dict.fromkeys(tables, (0, 1))
    validator = Validator(tables, held_out, samples, settings, batch=8, workers=0)
    model = FlowLoss(policy._policy)
    sums = validator.sums(model, policy._loaded.preprocessor, policy._loaded.postprocessor)
    theirs = validator.scores(sums, 0, 0).losses()
    sources = [Source(name, recorded / name) for name in tables]
    ours = score([policy], sources, Options(parts=("loss",), loss_frames=25, batch=16))
    for task in tables:
        assert ours.loss(policy.label, task).value == pytest.approx(theirs[task], rel=1e-6)


def test_a_blank_instruction_and_every_probe_run(recorded, policy):
    options = Options(
        parts=("sampling", "language", "modalities"), probe_frames=4, samples=2, batch=4
    )
    scores = score([policy], [Source("weighing", recorded / "weighing")], options)
    probed = scores.results[policy.label]["weighing"].probed
    assert probed.finite and np.isfinite(probed.blank).all()
    assert probed.by_noise.min() > 0
    assert set(probed.told) == set(TASKS)


def test_an_instruction_that_would_be_cut_is_an_error(recorded, policy):
    options = Options(
        parts=("language",), probe_frames=2, samples=1, paraphrases={"weighing": ("w " * 300,)}
    )
    with pytest.raises(UserError, match="has .* tokens, the policy reads 96"):
        score([policy], [Source("weighing", recorded / "weighing")], options)


def test_the_lineage_refuses_what_was_trained_on(recorded, checkpoint, tmp_path):
    folder = tmp_path / "best"
    shutil.copytree(checkpoint, folder)
    keys = [e.key for e in open_dataset(WEIGHING, recorded / "weighing", TASKS).episodes]
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["lineage"]["tasks"][1]["trained"] = {"17": keys[0]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    options = Options(parts=("loss",), loss_frames=4, device="cpu")
    scores = score([f"A={folder}"], [Source("weighing", recorded / "weighing")], options)
    assert scores.labels == ["A"]
    assert scores.episodes("weighing") == keys[1:]


def test_another_robot_damage_and_nothing_there(checkpoint, tmp_path):
    folder = tmp_path / "best"
    shutil.copytree(checkpoint, folder)
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(UserError, match="model.safetensors does not match its SHA-256"):
        open_policies([folder], "cpu", "float32")
    with pytest.raises(UserError, match="does not exist"):
        open_policies([tmp_path / "nowhere"], "cpu", "float32")
    with pytest.raises(UserError, match="trained for another robot"):
        open_policies([_of_another_robot(checkpoint, tmp_path / "other")], "cpu", "float32")
    with pytest.raises(UserError, match="unknown dtype 'float16'"):
        open_policies([checkpoint], "cpu", "float16")


def _of_another_robot(checkpoint: Path, folder: Path) -> Path:
    """Whole and signed, but with six joints."""
    from kuavo_train.checkpoint.manifest import hash_files

    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    config["input_features"][STATE_FEATURE]["shape"] = [6]
    (folder / "config.json").write_text(json.dumps(config))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = hash_files(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Exception, match="another robot"):
        open_checkpoint(folder)
    return folder


def test_labels_are_unique_and_have_no_dots():
    assert unique_labels(["a/best", "a/best", "v1.2"]) == ["a/best", "a/best (2)", "v1_2"]


def test_cameras_of_the_checkpoint_are_the_recordings(policy):
    assert policy._cameras == tuple(IMAGE_FEATURES.values())
