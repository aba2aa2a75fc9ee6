"""Settings that are none stop a run before anything is opened, by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kuavo_train.errors import TrainingError
from kuavo_train.sequential.checks import check_settings

from .conftest import REPOSITORY


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("mode=parallel", "mode is 'parallel': choose from sequential, joint"),
        ("training.device=tpu", "choose from auto, cpu, cuda"),
        ("training.mixed_precision=fp8", "choose from no, bf16"),
        (
            "validation.best=lowest",
            r"validation\.best is 'lowest': choose from mean_seen, new_task",
        ),
        ("normalization.source=quantiles", "choose from data, limits, base"),
        ("training.batch_size=0", r"training\.batch_size is 0: .* at least 1"),
        ("training.batch_size=many", r"training\.batch_size is 'many'"),
        ("training.batch_size=8.5", r"training\.batch_size is 8\.5: it must be a whole number"),
        ("training.num_workers=-1", "at least 0"),
        ("training.save_epochs=0", "at least 1"),
        ("training.steps_per_epoch=0", "at least 1"),
        ("validation.every_epochs=0", "at least 1"),
        ("validation.early_stopping=0", "at least 1"),
        ("training.max_gradient_norm=0", "above 0"),
        ("training.state_noise=-0.1", "≥ 0"),
        ("training.weight_decay=-1", "≥ 0"),
        ("sequential.stage3.epochs=0", r"sequential\.stage3\.epochs is 0"),
        ("sequential.later_stage.learning_rate=nan", r"later_stage\.learning_rate is nan"),
    ],
)
def test_a_wrong_setting_is_named(curriculum, setting, message):
    with pytest.raises(TrainingError, match=message):
        check_settings(curriculum.config("task1_moving_grasp", setting))


@pytest.mark.parametrize("name", ["smolvla_sequential_base", "smolvla_sequential_nano"])
def test_the_projects_own_settings_are_in_order(curriculum, name):
    check_settings(curriculum.config("task1_moving_grasp", name=name))


def test_a_run_checks_them_first(curriculum):
    """Before the missing dataset is noticed, and without a folder left behind."""
    with pytest.raises(TrainingError, match="every_epochs"):
        curriculum.train("task1_moving_grasp", "validation.every_epochs=0", "data.root=/nowhere")
    assert not (curriculum.output / "task1_moving_grasp").exists()


def test_a_broken_task_file_is_a_sentence(curriculum, tmp_path):
    import shutil

    shutil.copytree(curriculum.configs, tmp_path / "policy")
    (tmp_path / "policy" / "task" / "tasks" / "task5_x.yaml").write_text("id: 5\n")
    curriculum.configs = tmp_path / "policy"
    with pytest.raises(TrainingError, match=r"task5_x\.yaml lacks name"):
        curriculum.train("task1_moving_grasp")


def test_an_unknown_task_lists_the_known_ones():
    done = subprocess.run(
        [sys.executable, "kuavo_train/train_smolvla_sequential.py", "task=tasks/task9_juggling"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "task2_weighing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.bach_size=8", "Could not override 'training.bach_size'"),
        ("replay=all", "reservoir"),
    ],
)
def test_kuavo_train_names_unknown_settings_too(setting, message):
    from kuavo_cli.errors import UserError
    from kuavo_train.cli import app

    with pytest.raises(UserError, match=message):
        app(["--all", "-s", setting], standalone_mode=False)
