"""The commands as a person types them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from .conftest import REPOSITORY, STAGES


def call(*command, cwd=REPOSITORY, **more):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **more}
    return subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_the_guides_command_from_the_repositorys_root(curriculum):
    """As on the page; the settings after it only make it small."""
    done = call(
        sys.executable,
        "kuavo_train/train_smolvla_sequential.py",
        "--config-path=../configs/policy",
        "--config-name=smolvla_sequential_base",
        *curriculum.arguments("task1_moving_grasp"),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (curriculum.output / "task1_moving_grasp" / "best" / "config.json").is_file()
    assert "samples/s" in done.stderr  # the progress bar
    assert "loss" in done.stderr
    assert not (REPOSITORY / ".hydra").exists()


def test_an_error_is_a_sentence_and_code_1(curriculum):
    done = call(
        sys.executable,
        "kuavo_train/train_smolvla_sequential.py",
        "--config-path=../configs/policy",
        "--config-name=smolvla_sequential_base",
        *curriculum.arguments("task2_weighing"),
    )
    assert done.returncode == 1
    assert done.stderr.startswith("stage 2 (weighing) starts from the model of task 1")
    assert done.stderr.count("run first") == 1
    assert "Traceback" not in done.stderr
    assert "run first" in (curriculum.output / "training.log").read_text()


def test_what_is_missing_is_said_before_torch_loads(curriculum):
    """Loading it takes ten times longer than finding out."""
    script = (
        "import sys; from hydra import compose, initialize_config_dir\n"
        "from pathlib import Path; from kuavo_train.sequential.run import run_stage\n"
        "with initialize_config_dir(sys.argv[1], version_base='1.3'):\n"
        "    config = compose('smolvla_sequential_base', sys.argv[2:])\n"
        "try: run_stage(config, Path(sys.argv[1]), 'x')\n"
        "finally: assert 'torch' not in sys.modules"
    )
    for task, message in (
        ("task1_moving_grasp", "no LeRobot dataset for task 1"),
        ("task2_weighing", "run first"),
    ):
        settings = curriculum.arguments(task, "data.root=/nowhere")
        done = call(sys.executable, "-c", script, curriculum.configs, *settings)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def kuavo(*arguments, **more):
    return call(sys.executable, "-m", "kuavo_cli.main", *arguments, **more)


@pytest.mark.slow
def test_kuavo_train_all(curriculum):
    """All four stages; a second call with --resume finds nothing left to do."""
    settings = [
        part
        for setting in curriculum.settings + ["sequential.stage1.epochs=1"]
        for part in ("-s", setting)
    ]
    done = kuavo("train", "--all", *settings)
    assert done.returncode == 0, done.stderr[-3000:]
    for stage in STAGES:
        assert (curriculum.output / stage / "training_results.json").is_file()
    best = curriculum.output / STAGES[3] / "best" / "model.safetensors"
    before = best.read_bytes()
    again = kuavo("train", "--all", "--resume", *settings)
    assert again.returncode == 0
    assert best.read_bytes() == before
    refused = kuavo("train", "--all", *settings)
    assert refused.returncode == 1
    assert refused.stderr.startswith("kuavo: ")


def test_inspect_and_relocate(trained, tmp_path, capsys):
    from kuavo_cli.errors import UserError
    from kuavo_train.cli import app

    run, _ = trained
    folder = tmp_path / "best"
    shutil.copytree(run.output / STAGES[1] / "best", folder)
    app(["inspect", str(folder)], standalone_mode=False)
    assert "task 2 weighing: 3 episodes trained on, 1 held out" in capsys.readouterr().out
    app(["relocate", str(folder)], standalone_mode=False)
    assert json.loads((folder / "config.json").read_text())["vlm_model_name"] == f"{folder}/vlm"
    (folder / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"config\.json does not match its SHA-256"):
        app(["inspect", str(folder)], standalone_mode=False)


@pytest.mark.parametrize("arguments", [("--size", "giant"), ("--size", "nano", "--out", ".")])
def test_a_base_model_is_never_overwritten_nor_guessed(arguments, capsys):
    from kuavo_cli.errors import UserError
    from kuavo_train.cli import app

    with pytest.raises(UserError, match=r"choose from nano, smolvla_450m|exists already"):
        app(["base", *arguments], standalone_mode=False)
