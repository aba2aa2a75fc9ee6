"""A run that cannot go on says why, keeps the last good checkpoint, and names the remedy."""

from __future__ import annotations

import errno
import json
import shutil

import pytest
import torch

from kuavo_train.checkpoint.reader import open_checkpoint
from kuavo_train.errors import DataError, TrainingError
from kuavo_train.policy.flow_loss import FlowLoss
from kuavo_train.sequential.failures import explained


def spoil(monkeypatch, at_call: int, effect):
    """Let the n-th training forward pass misbehave."""
    real, calls = FlowLoss.forward, []

    def forward(self, *arguments):
        out = real(self, *arguments)
        if not torch.is_grad_enabled():
            return out
        calls.append(1)
        return effect(out) if len(calls) == at_call else out

    monkeypatch.setattr(FlowLoss, "forward", forward)


def test_nan_loss_stops_names_the_batch_and_keeps_the_checkpoint(curriculum, monkeypatch):
    spoil(monkeypatch, 4, lambda out: out * float("nan"))
    with pytest.raises(TrainingError, match="not finite at step 3") as raised:
        curriculum.train("task1_moving_grasp", "sequential.stage1.epochs=3")
    assert str(raised.value).count("moving_grasp episode") == 4 + 1  # the batch, the largest
    assert "Largest action" in str(raised.value)
    best = curriculum.output / "task1_moving_grasp" / "best"
    weights = open_checkpoint(best)
    assert weights.manifest.lineage.step == 2
    assert "not finite at step 3" in (curriculum.output / "training.log").read_text()


def test_out_of_memory_names_the_batch_size(curriculum, monkeypatch):
    def full(_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    spoil(monkeypatch, 1, full)
    with pytest.raises(TrainingError, match=r"training\.batch_size=2 .*gradient_accumulation=2"):
        curriculum.train("task1_moving_grasp")


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), r"training\.batch_size=2"),
        (OSError(errno.ENOSPC, "No space left on device", "cache"), r"disk is full \(cache\)"),
    ],
)
def test_also_while_the_stage_is_put_together(curriculum, monkeypatch, failure, message):
    """Where the weights go to the GPU, and the cache is filled."""

    def fails(*_):
        raise failure

    monkeypatch.setattr("kuavo_train.sequential.stage.assemble", fails)
    with pytest.raises(TrainingError, match=message):
        curriculum.train("task1_moving_grasp")


def test_the_nan_message_names_the_whole_batch_of_all_micro_batches(curriculum, monkeypatch):
    spoil(monkeypatch, 1, lambda out: out * float("nan"))
    with pytest.raises(TrainingError, match="not finite at step 0") as raised:
        curriculum.train("task1_moving_grasp", "training.gradient_accumulation=2")
    assert str(raised.value).count("moving_grasp episode") == 8 + 1


def test_a_validation_that_is_not_finite_never_becomes_best(curriculum, monkeypatch):
    """NaN is smaller than nothing and larger than nothing: it would stay the best for good."""
    from kuavo_train.sequential.validation import Validator

    real, calls = Validator.scores, []

    def scores(self, sums, epoch, step):
        calls.append(1)
        spoiled = {name: total * float("nan") for name, total in sums.items()}
        for total in spoiled.values():
            total[:, 1] = 1
        return real(self, spoiled if len(calls) == 3 else sums, epoch, step)

    monkeypatch.setattr(Validator, "scores", scores)
    with pytest.raises(TrainingError, match="validation loss of moving_grasp is not finite after"):
        curriculum.train("task1_moving_grasp", "sequential.stage1.epochs=3")
    best = open_checkpoint(curriculum.output / "task1_moving_grasp" / "best")
    assert best.manifest.lineage.epoch == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_is_named(curriculum, monkeypatch, workers):
    from kuavo_train.episodes.table import EpisodeTable

    def broken(self, row):
        raise RuntimeError("Invalid data found when processing input")

    monkeypatch.setattr(EpisodeTable, "frame_images", broken)
    message = r"^moving_grasp episode \d frame \d+: its images cannot be read from .*Invalid data"
    with pytest.raises(DataError, match=message):
        curriculum.train("task1_moving_grasp", f"training.num_workers={workers}")


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (MemoryError(), r"out of memory on cpu with training\.batch_size=16"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate"),
            "out of memory on cpu",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "x"), r"disk is full \(x\)"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error."), "num_workers"),
    ],
)
def test_failures_of_the_machine_are_sentences(failure, message):
    with pytest.raises(TrainingError, match=message), explained(16, "cpu"):
        raise failure


@pytest.mark.parametrize("bug", [RuntimeError("shapes differ"), OSError(errno.EIO, "input/output")])
def test_other_failures_keep_their_stack_trace(bug):
    with pytest.raises(type(bug)) as raised, explained(16, "cpu"):
        raise bug
    assert raised.value is bug


def test_a_missing_earlier_stage_names_the_command(curriculum):
    with pytest.raises(TrainingError) as raised:
        curriculum.train("task3_placement")
    assert "starts from the model of task 2 (weighing)" in str(raised.value)
    assert (
        "python kuavo_train/train_smolvla_sequential.py --config-path=../configs/policy "
        "--config-name=smolvla_sequential_base task=tasks/task2_weighing"
    ) in str(raised.value)


def test_an_unfinished_earlier_stage_is_resumed_first(curriculum, monkeypatch):
    spoil(monkeypatch, 4, lambda out: out * float("nan"))
    with pytest.raises(TrainingError, match="not finite"):
        curriculum.train("task1_moving_grasp")
    monkeypatch.undo()
    message = r"did not end: run first\n.*task=tasks/task1_moving_grasp resume=true"
    with pytest.raises(TrainingError, match=message):
        curriculum.train("task2_weighing")
    curriculum.train("task1_moving_grasp", "resume=true")
    curriculum.train("task2_weighing")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("policy.pretrained=/nowhere/model", "no model at /nowhere/model"),
        ("policy.pretrained=outputs/base/nano_absent", "kuavo train base --size nano"),
        ("policy.tokenizer_max_length=5", "would be cut"),
        ("policy.vlm_dtype=float8", "float32, bfloat16"),
        ("policy.vlm_dtype=bfloat16", "needs freezing=expert_only"),
        ("freezing.vlm_bottom_layers=9", "the VLM has 2 layers"),
        ("data.root='/x/{nane}'", "unknown field"),
        ("data.root='/x/{'", "unknown field"),
        ("data.root=/nowhere", r"task 1 .* at /nowhere/moving_grasp \(no meta/info\.json\)"),
    ],
)
def test_wrong_settings_are_named(curriculum, setting, message):
    with pytest.raises(TrainingError, match=message):
        curriculum.train("task1_moving_grasp", setting)


def cached(hub, name: str, folder) -> None:
    """Lay a folder into the hub's cache, as a download of `name` does."""
    place = hub / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / "1")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("1")


def test_a_base_model_by_its_name_on_the_hub(curriculum, base_model, tmp_path, monkeypatch):
    """Without a network it comes from the hub's cache; of the VLM, files without weights do."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    vlm, name = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct", "lerobot/smolvla_base"
    with pytest.raises(TrainingError, match="copy the model's folder"):
        curriculum.train("task1_moving_grasp", f"policy.pretrained={name}")
    base = shutil.copytree(base_model, tmp_path / "base")
    shutil.move(base / "vlm", tmp_path / "vlm")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "vlm_model_name": vlm}))
    cached(tmp_path / "hub", name, base)
    cached(tmp_path / "hub", vlm, tmp_path / "vlm")
    settings = ("training.steps_per_epoch=1", "sequential.stage1.epochs=1")
    curriculum.train("task1_moving_grasp", f"policy.pretrained={name}", *settings)
    best = open_checkpoint(curriculum.output / "task1_moving_grasp" / "best")
    assert best.manifest.lineage.parent == name
    assert (best.path / "vlm" / "tokenizer.json").is_file()


def test_a_base_model_of_another_architecture(curriculum, base_model, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(base_model, tmp_path / "cut")
    tensors = load_file(base_model / "model.safetensors")
    tensors.pop("model.state_proj.weight")
    save_file(tensors, tmp_path / "cut" / "model.safetensors")
    with pytest.raises(TrainingError, match=r"lacks 1 tensors.*state_proj"):
        curriculum.train("task1_moving_grasp", f"policy.pretrained={tmp_path}/cut")


def test_changing_the_split_between_stages_is_refused(trained, curriculum):
    """Otherwise a replayed task would be validated on what it was trained on."""
    run, _ = trained
    with pytest.raises(DataError, match=r"keep data\.split_seed"):
        curriculum.train(
            "task2_weighing",
            f"sequential.parent={run.output}/task1_moving_grasp/best",
            "data.split_seed=3",
        )
