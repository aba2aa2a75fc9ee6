"""Resume: a run killed at random steps ends in the same weights, bit by bit."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from multiprocessing import get_context

import numpy as np
import pytest

from kuavo_train.errors import TrainingError

SETTINGS = (
    "training.steps_per_epoch=6",
    "training.save_steps=1",
    "sequential.stage1.epochs=3",
    "validation.every_epochs=1",
    "augmentation=light",
)


def _train(curriculum, *settings):
    with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
        curriculum.train("task1_moving_grasp", *SETTINGS, *settings)


def _step(folder) -> int:
    try:
        return json.loads((folder / "resume" / "training_state.json").read_text())["step"]
    except (FileNotFoundError, NotADirectoryError):
        return 0


def test_killed_at_random_steps_the_weights_are_the_same(
    curriculum, tmp_path, recorded, base_model
):
    from .conftest import Curriculum

    whole = Curriculum(tmp_path / "whole", recorded, base_model)
    _train(whole)
    folder = curriculum.output / "task1_moving_grasp"
    rng = np.random.default_rng(int(os.environ.get("KILL_SEED", "0")))
    kills = 0
    for target in sorted(rng.integers(1, 18, size=3)):
        process = get_context("fork").Process(target=_train, args=(curriculum, "resume=true"))
        process.start()
        while process.is_alive() and _step(folder) < target:
            time.sleep(0.002)
        time.sleep(float(rng.uniform(0, 0.03)))
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.join()
    assert kills >= 2
    _train(curriculum, "resume=true")
    reference = whole.output / "task1_moving_grasp"
    for name in ("best", "epoch1", "epoch3", "resume"):
        one, other = (f / name / "model.safetensors" for f in (folder, reference))
        assert one.read_bytes() == other.read_bytes(), name
    one, other = (f / "resume" / "optimizer.safetensors" for f in (folder, reference))
    assert one.read_bytes() == other.read_bytes()
    results = [json.loads((f / "training_results.json").read_text()) for f in (folder, reference)]
    assert results[0]["validations"] == results[1]["validations"]
    assert not list(folder.glob(".*writing*"))


def test_another_config_is_refused_with_the_difference(curriculum):
    _train(curriculum, "training.save_steps=1")
    with pytest.raises(TrainingError, match=r"training\.batch_size: 4 → 2") as raised:
        _train(curriculum, "resume=true", "training.batch_size=2", "training.num_workers=1")
    assert "num_workers" not in str(raised.value)


def test_a_run_is_never_overwritten_by_accident(curriculum):
    _train(curriculum)
    best = curriculum.output / "task1_moving_grasp" / "best" / "model.safetensors"
    before = best.read_bytes()
    with pytest.raises(TrainingError, match="resume=true continues it, overwrite=true starts over"):
        _train(curriculum)
    assert best.read_bytes() == before
    _train(curriculum, "overwrite=true")
    aside = curriculum.output / "task1_moving_grasp.old1" / "best" / "model.safetensors"
    assert aside.read_bytes() == before


def test_resuming_a_finished_run_changes_nothing(curriculum):
    _train(curriculum)
    best = curriculum.output / "task1_moving_grasp" / "best" / "model.safetensors"
    before = best.read_bytes()
    _train(curriculum, "resume=true")
    assert best.read_bytes() == before
