"""Resume: a run killed at random steps ends in the same weights, bit by bit."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from multiprocessing import get_context

import numpy as np
import pytest

from kuavo_train.errors import DataError, TrainingError

from .conftest import Curriculum
from .recordings import record

pytestmark = pytest.mark.xdist_group("train resume")  # they share a run

SETTINGS = (
    "training.steps_per_epoch=6",
    "training.save_steps=1",
    "sequential.stage1.epochs=3",
    "training.save_epochs=1",
    "validation.every_epochs=1",
    "augmentation=light",
)


def _train(curriculum, *settings):
    with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
        curriculum.train("task1_moving_grasp", *SETTINGS, *settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, recorded, base_model):
    """A run that nothing stopped; read it, don't write to it."""
    run = Curriculum(tmp_path_factory.mktemp("finished") / "out", recorded, base_model)
    _train(run)
    return run


@pytest.fixture
def copied(finished, curriculum):
    """A copy of it, to go on with."""
    shutil.copytree(finished.output, curriculum.output)
    return curriculum


def _step(folder) -> int:
    try:
        return json.loads((folder / "resume" / "training_state.json").read_text())["step"]
    except (FileNotFoundError, NotADirectoryError):
        return 0


def test_killed_at_random_steps_the_weights_are_the_same(
    curriculum, finished, recorded, base_model, tmp_path
):
    """Also when the run and its recordings lie elsewhere when it goes on."""
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
    curriculum.output.rename(tmp_path / "moved")
    moved = Curriculum(tmp_path / "moved", shutil.copytree(recorded, tmp_path / "data"), base_model)
    _train(moved, "resume=true")
    folder = moved.output / "task1_moving_grasp"
    reference = finished.output / "task1_moving_grasp"
    for name in ("best", "epoch1", "epoch3", "resume"):
        one, other = (f / name / "model.safetensors" for f in (folder, reference))
        assert one.read_bytes() == other.read_bytes(), name
    one, other = (f / "resume" / "optimizer.safetensors" for f in (folder, reference))
    assert one.read_bytes() == other.read_bytes()
    results = [json.loads((f / "training_results.json").read_text()) for f in (folder, reference)]
    assert results[0]["validations"] == results[1]["validations"]
    assert not list(folder.glob(".*writing*"))


def test_another_config_is_refused_with_the_difference(copied):
    with pytest.raises(TrainingError, match=r"training\.batch_size: 4 → 2") as raised:
        _train(copied, "resume=true", "training.batch_size=2", "training.num_workers=1")
    assert "num_workers" not in str(raised.value)


def test_a_run_is_never_overwritten_by_accident(copied):
    best = copied.output / "task1_moving_grasp" / "best" / "model.safetensors"
    before = best.read_bytes()
    with pytest.raises(TrainingError, match="resume=true continues it, overwrite=true starts over"):
        _train(copied)
    assert best.read_bytes() == before
    _train(copied, "overwrite=true", "training.steps_per_epoch=1", "sequential.stage1.epochs=1")
    assert best.read_bytes() != before
    aside = copied.output / "task1_moving_grasp.old1" / "best" / "model.safetensors"
    assert aside.read_bytes() == before


def test_resuming_a_finished_run_changes_nothing(copied):
    best = copied.output / "task1_moving_grasp" / "best" / "model.safetensors"
    before = best.read_bytes()
    _train(copied, "resume=true")
    assert best.read_bytes() == before


def test_other_recordings_are_refused_in_a_later_stage_too(
    trained, curriculum, recorded, tmp_path, tasks
):
    """There the statistics are the parent's and say nothing about the episodes."""
    run, _ = trained
    shutil.copytree(recorded, tmp_path / "copy")
    settings = (
        f"data.root='{tmp_path}/copy/{{name}}'",
        f"sequential.parent={run.output}/task1_moving_grasp/best",
    )
    curriculum.train("task2_weighing", *settings)
    shutil.rmtree(tmp_path / "copy" / "weighing")
    record(tasks["weighing"], tmp_path / "copy" / "weighing", frames=11)
    with pytest.raises(DataError, match=r"recordings of task weighing .* are not those"):
        curriculum.train("task2_weighing", *settings, "resume=true")


def test_a_run_killed_before_its_first_save_leaves_no_second_curve(curriculum):
    """Started again from step 0 in the same folder: TensorBoard drops the first attempt."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = curriculum.output / "task1_moving_grasp"
    process = get_context("fork").Process(
        target=_train, args=(curriculum, "training.save_steps=100", "training.steps_per_epoch=99")
    )
    process.start()
    while not (folder / "tensorboard").is_dir() or _points(folder) < 2:
        assert process.is_alive()
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    time.sleep(1.1)  # TensorBoard orders its files by the second in their names
    _train(curriculum, "resume=true", "training.save_steps=100")
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    steps = [event.step for event in events.Scalars("train/loss")]
    assert steps == list(range(18))


def _points(folder) -> int:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return len(events.Scalars("train/loss")) if "train/loss" in events.Tags()["scalars"] else 0
