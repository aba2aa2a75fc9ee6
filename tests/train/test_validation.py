"""Validation is comparable between epochs, decides `best/`, and speaks the guide's language."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from kuavo_train.checkpoint.manifest import read_manifest
from kuavo_train.episodes.samples import Draw
from kuavo_train.sequential import results
from kuavo_train.sequential.plan import plan_stage
from kuavo_train.sequential.validation import TaskScore, Validation, action_errors

from .conftest import STAGES


def scored(epoch, **losses):
    return Validation(epoch, epoch * 10, {n: TaskScore(v, 16) for n, v in losses.items()})


@pytest.fixture
def plan(curriculum, tasks):
    """Stage 2 of the guide."""
    config = curriculum.config("task2_weighing", "sequential.parent=/x")
    return plan_stage(config, tasks, "train")


def test_the_end_of_one_stage_is_the_start_of_the_next(trained):
    """Fixed frames, noise and times: the same weights score exactly the same."""
    _, stages = trained
    for before, after in zip(stages, stages[1:], strict=False):
        for task, loss in before["best_validation"].items():
            assert after["start_validation"][task] == loss


def test_the_training_loss_has_no_say_in_what_is_best(curriculum, monkeypatch):
    """Validation rises although training goes on: best/ stays at the first epoch."""
    from kuavo_train.sequential.stage import Stage

    real = Stage._validate

    def rising(self, epoch):
        found = real(self, epoch)
        tasks = {n: dataclasses.replace(s, loss=float(epoch)) for n, s in found.tasks.items()}
        return Validation(found.epoch, found.step, tasks)

    monkeypatch.setattr(Stage, "_validate", rising)
    content = curriculum.train("task1_moving_grasp", "sequential.stage1.epochs=3")
    assert content["best_epoch"] == 1
    assert content["training_epochs"] == 3
    assert read_manifest(curriculum.output / STAGES[0] / "best").lineage.epoch == 1


def test_early_stopping(curriculum, monkeypatch):
    from kuavo_train.sequential.stage import Stage

    real = Stage._validate

    def rising(self, epoch):
        found = real(self, epoch)
        tasks = {n: dataclasses.replace(s, loss=float(epoch)) for n, s in found.tasks.items()}
        return Validation(found.epoch, found.step, tasks)

    monkeypatch.setattr(Stage, "_validate", rising)
    content = curriculum.train(
        "task1_moving_grasp", "sequential.stage1.epochs=9", "validation.early_stopping=2"
    )
    assert content["training_epochs"] == 3
    assert "stopping early" in (curriculum.output / "training.log").read_text()
    best = (curriculum.output / STAGES[0] / "best" / "model.safetensors").read_bytes()
    again = curriculum.train(
        "task1_moving_grasp",
        "sequential.stage1.epochs=9",
        "validation.early_stopping=2",
        "resume=true",
    )
    assert again["training_epochs"] == 3
    assert (curriculum.output / STAGES[0] / "best" / "model.safetensors").read_bytes() == best


def test_validation_uses_held_out_episodes_only(trained, monkeypatch, curriculum):
    seen: list[Draw] = []
    from kuavo_train.episodes.samples import Samples

    real = Samples.__getitem__

    def watched(self, draw):
        if not torch.is_grad_enabled():
            seen.append(draw)
        return real(self, draw)

    monkeypatch.setattr(Samples, "__getitem__", watched)
    curriculum.train("task1_moving_grasp")
    held = read_manifest(curriculum.output / STAGES[0] / "best").lineage.tasks[0].held_out
    assert seen
    assert {d.row // 10 for d in seen} == {int(episode) for episode in held}


def test_best_is_the_mean_over_tasks_seen_or_the_new_task(plan):
    history = [scored(2, moving_grasp=0.2, weighing=0.9), scored(4, moving_grasp=0.9, weighing=0.3)]
    assert results.best_of(history, plan, "mean_seen").epoch == 2
    assert results.best_of(history, plan, "new_task").epoch == 4


def test_the_guides_limits_and_its_warning(plan):
    assert plan.limits == {"moving_grasp": 0.7, "weighing": 0.5}
    fine = scored(2, moving_grasp=0.79, weighing=0.4)
    assert results.warnings(plan, fine) == []
    (line,) = results.warnings(plan, scored(2, moving_grasp=0.81, weighing=0.4))
    assert "0.810 > 0.8" in line
    assert "sequential.stage2_replay.task1=0.3 sequential.stage2_replay.task2=0.7" in line
    met = [row["met"] for row in results.criteria(plan, fine, switches=True)]
    assert met == [False, True, True]


@pytest.mark.parametrize(
    ("stage", "limits"),
    [
        (STAGES[0], [0.5]),
        (STAGES[1], [0.7, 0.5]),
        (STAGES[2], [0.8, 0.8, 0.5]),
        (STAGES[3], [1.0, 1.0, 1.0, 0.5]),
    ],
)
def test_success_criteria_of_all_stages(curriculum, tasks, stage, limits):
    made = plan_stage(curriculum.config(stage, "sequential.parent=/x"), tasks, "train")
    assert list(made.limits.values()) == limits


def test_the_guides_numbers_are_the_defaults(tasks):
    """Epochs, learning rates, shares, batch size: read from the file the guide names."""
    from hydra import compose, initialize_config_dir

    from .conftest import REPOSITORY

    table = [
        (20, 1e-4, [1]),
        (25, 5e-5, [0.2, 0.8]),
        (30, 3e-5, [0.1, 0.2, 0.7]),
        (35, 2e-5, [0.1, 0.1, 0.2, 0.6]),
    ]
    with initialize_config_dir(str(REPOSITORY / "configs" / "policy"), version_base="1.3"):
        for stage, (epochs, rate, shares) in zip(STAGES, table, strict=True):
            config = compose(
                "smolvla_sequential_base", [f"task=tasks/{stage}", "sequential.parent=/x"]
            )
            made = plan_stage(config, tasks, "train")
            assert (made.epochs, made.learning_rate) == (epochs, rate)
            assert [float(share) for share in made.shares.values()] == pytest.approx(shares)
            assert made.folder == Path("outputs/train/smolvla_sequential") / stage
        assert config.training.batch_size == 16
        assert config.validation.every_epochs == 2
        assert config.policy.pretrained == "lerobot/smolvla_base"
        assert config.log_file == "smolvla_sequential_training.log"


def test_forgetting_in_three_words(plan):
    start = scored(0, moving_grasp=0.4, weighing=2.0)
    words = [
        results.analyse(plan, start, scored(2, moving_grasp=loss, weighing=1.0))[0].verdict
        for loss in (0.40, 0.46, 0.60)
    ]
    assert words == ["well retained", "slight degradation", "significant forgetting"]


def test_action_errors_are_apart_by_kind_and_inside_the_episode():
    recorded = torch.zeros(1, 3, 20)
    sampled = torch.zeros(1, 3, 20)
    sampled[..., 0:7] = 0.1
    sampled[..., 7] = 0.5
    sampled[..., 16] = 3.0
    sampled[:, 2] = 99
    is_pad = torch.tensor([[False, False, True]])
    sums = action_errors(sampled, recorded, is_pad, 20)
    arms, hands, base = (sums[:, 0] / sums[:, 1]).tolist()
    assert (arms, hands, base) == pytest.approx((0.05, 0.25, 1.0))
    standing = action_errors(sampled, recorded, is_pad, 16)
    assert standing[2].tolist() == [0, 0]


def test_joint_training_is_a_config(curriculum):
    content = curriculum.train(
        "task1_moving_grasp", "sequential.joint.epochs=1", name="smolvla_joint"
    )
    assert content["replay_shares"] == {str(i): 0.25 for i in (1, 2, 3, 4)}
    assert set(content["final_validation"]) == {"1", "2", "3", "4"}
    folder = curriculum.output / "joint"
    assert (folder / "best" / "model.safetensors").is_file()
    assert json.loads((folder / "training_results.json").read_text())["task_id"] == "joint"
