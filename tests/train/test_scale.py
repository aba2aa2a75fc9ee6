"""Several processes, accumulation, precision: the same training, cut differently."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kuavo_train.episodes.augmentation import Augmentation
from kuavo_train.sequential.processes import run_shared

from .conftest import REPOSITORY, STAGES, Curriculum

pytestmark = pytest.mark.xdist_group("train scale")  # they share a run

SETTINGS = (
    "training.steps_per_epoch=4", "sequential.stage1.epochs=1", "training.batch_size=8",
    "training.state_noise=1.0",
)  # fmt: skip


def curve(run, tag="train/loss"):
    events = EventAccumulator(str(run.output / STAGES[0] / "tensorboard"))
    events.Reload()
    return [event.value for event in events.Scalars(tag)]


def same_curves(one, other):
    """Gradients too: Adam's steps would look the same with gradients of half the size."""
    return all(
        curve(one, tag) == pytest.approx(curve(other, tag), rel=tolerance)
        for tag, tolerance in (("train/loss", 1e-5), ("train/gradient_norm", 1e-4))
    )


def weights(run):
    return load_file(run.output / STAGES[0] / "best" / "model.safetensors")


def close(one, other):
    return all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, recorded, base_model):
    """One process, one batch; read it, don't write to it."""
    run = Curriculum(tmp_path_factory.mktemp("whole") / "out", recorded, base_model)
    run.train(STAGES[0], *SETTINGS)
    return run


def test_accumulated_micro_batches_equal_one_batch(whole, curriculum):
    curriculum.train(
        STAGES[0], *SETTINGS, "training.batch_size=2", "training.gradient_accumulation=4"
    )
    assert same_curves(curriculum, whole)
    assert close(weights(curriculum), weights(whole))


def test_two_processes_equal_one_at_the_same_global_batch(whole, curriculum):
    command = [
        sys.executable,
        str(REPOSITORY / "kuavo_train" / "train_smolvla_sequential.py"),
        f"--config-path={REPOSITORY / 'configs' / 'policy'}",
        "--config-name=smolvla_sequential_base",
        *curriculum.arguments(STAGES[0], *SETTINGS, "training.batch_size=4"),
    ]
    assert run_shared(command, 2) == 0
    assert same_curves(curriculum, whole)
    assert close(weights(curriculum), weights(whole))
    log = (curriculum.output / "training.log").read_text()
    assert log.count("stage 1: moving_grasp (移动目标抓取) is done") == 1


def test_noise_in_the_state_changes_the_losses(whole, curriculum):
    curriculum.train(STAGES[0], *SETTINGS, "training.state_noise=0.0")
    apart = [abs(one - other) for one, other in zip(curve(curriculum), curve(whole), strict=True)]
    assert sum(difference > 1e-4 for difference in apart) >= 3, apart


def test_loader_processes_change_nothing(whole, curriculum):
    curriculum.train(STAGES[0], *SETTINGS, "training.num_workers=1")
    assert curve(curriculum) == curve(whole)


def test_augmentation_is_reproducible_and_off_by_default(curriculum):
    image = torch.rand(3, 32, 32)
    light = Augmentation(enabled=True)
    assert torch.equal(light(image, 5), light(image, 5))
    assert not torch.equal(light(image, 5), light(image, 6))
    assert float(light(image, 5).min()) >= 0
    assert float(light(image, 5).max()) <= 1
    assert torch.equal(Augmentation()(image, 5), image)
    assert not curriculum.config(STAGES[0]).augmentation.enabled


def test_weights_have_the_configured_precision(curriculum):
    """Not whatever the VLM happened to be created with; trained weights are float32."""
    settings = ("freezing=expert_only", "training.steps_per_epoch=1")
    curriculum.train(STAGES[0], *SETTINGS, *settings, "policy.vlm_dtype=bfloat16")
    kinds = {".vlm." in name: tensor.dtype for name, tensor in weights(curriculum).items()}
    assert kinds == {True: torch.bfloat16, False: torch.float32}


def test_float32_by_default(whole):
    assert {t.dtype for t in weights(whole).values()} == {torch.float32}


@pytest.mark.slow
def test_mixed_precision_computes_in_half_and_keeps_float32_weights(whole, tmp_path, recorded):
    """In a process of its own: accelerate fixes the precision once per process."""
    run = Curriculum(tmp_path / "mixed", recorded, _base(whole))
    command = [
        *(sys.executable, "kuavo_train/train_smolvla_sequential.py"),
        *run.arguments(STAGES[0], *SETTINGS, "training.mixed_precision=bf16"),
    ]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    assert {t.dtype for t in weights(run).values()} == {torch.float32}
    assert curve(run) == pytest.approx(curve(whole), rel=0.05)
    assert curve(run) != curve(whole)


def _base(run):
    return next(s.split("=")[1] for s in run.settings if s.startswith("policy.pretrained"))
