"""The guide, to the letter: four stages, what they leave, how the result is used."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kuavo_train.episodes.table import CAMERA_FEATURES
from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper

from .conftest import STAGES


def test_each_stage_leaves_what_the_guide_shows(trained):
    run, _ = trained
    for stage in STAGES:
        folder = run.output / stage
        for name in ("best", "epoch1", "epoch2"):
            assert (folder / name / "model.safetensors").is_file()
            assert (folder / name / "config.json").is_file()
        for name in ("training_results.json", "training_curves.png", "training_report.html"):
            assert (folder / name).stat().st_size > 0


def test_results_file(trained, tasks):
    run, results = trained
    for number, (stage, task) in enumerate(zip(STAGES, tasks.values(), strict=True), start=1):
        content = json.loads((run.output / stage / "training_results.json").read_text())
        assert content["task_id"] == task.id
        assert content["task_name"] == task.name
        assert content["description"] == task.description
        assert content["language_instruction"] == task.instruction
        assert set(content["final_validation"]) == {str(i) for i in range(1, number + 1)}
        assert content["training_epochs"] == 2
        assert np.isfinite(content["best_loss"])
        assert 0 <= content["waiting_for_data"] <= 1
        assert content["samples_per_second"] > 0
    assert [r["learning_rate"] for r in results] == [1e-4, 5e-5, 3e-5, 2e-5]
    assert results[3]["replay_shares"] == {"1": 0.1, "2": 0.1, "3": 0.2, "4": 0.6}
    assert results[3]["loss_dimensions"] == {"1": 16, "2": 16, "3": 16, "4": 20}


def test_tensorboard_tags(trained):
    run, _ = trained
    events = EventAccumulator(str(run.output / STAGES[2] / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {"train/loss", "train/lr"} <= tags
    assert {f"validation/task{i}_loss" for i in (1, 2, 3)} <= tags
    assert "validation/task4_loss" not in tags


def test_log_tells_losses_forgetting_and_criteria(trained):
    run, _ = trained
    text = (run.output / "training.log").read_text()
    assert "stage 4: sorting (全流程分拣)" in text
    assert "validation after epoch 2" in text
    assert "forgetting, moving_grasp:" in text
    assert "task 1 (moving_grasp) validation loss < 0.5" in text
    assert "the model switches between its tasks by language" in text
    assert "parameters are trained" in text
    line = (
        r"step 3/4: loss \d\.\d+, lr \S+, [\d.]+ samples/s, \d\d:\d\d left, "
        r"waiting for data \d+ %"
    )
    assert re.search(line, text)


def test_guides_snippet(trained):
    run, _ = trained
    policy = SmolVLAPolicyWrapper.from_pretrained(run.output / "task4_sorting" / "best")
    batch = {
        "observation.images.head_cam_h": np.zeros((480, 640, 3), np.uint8),
        "observation.images.wrist_cam_l": np.zeros((240, 320, 3), np.uint8),
        "observation.images.wrist_cam_r": torch.zeros(3, 24, 32),
        "observation.state": np.zeros(16),
    }
    batch["task"] = "Pick up the package from the conveyor belt, weigh it..."
    action = policy.select_action(batch)
    assert action.shape == (20,)
    assert torch.isfinite(action).all()


@pytest.mark.parametrize("stage", range(1, 4))
def test_each_stage_starts_from_the_best_of_the_one_before(trained, stage):
    run, _ = trained
    child = json.loads((run.output / STAGES[stage] / "best" / "manifest.json").read_text())
    parent = json.loads((run.output / STAGES[stage - 1] / "best" / "manifest.json").read_text())
    assert child["lineage"]["parent"] == parent["files"]["model.safetensors"]
    assert len(child["lineage"]["tasks"]) == stage + 1


def test_normalizer_of_stage_4_is_bit_identical_to_stage_1(trained):
    run, _ = trained
    first, last = (run.output / STAGES[i] / "best" for i in (0, 3))
    files = [f.name for f in first.glob("policy_*processor*.safetensors")]
    assert len(files) == 2
    for name in ("normalization.json", *files):
        assert (first / name).read_bytes() == (last / name).read_bytes()


def test_training_learns(curriculum):
    """A hundred steps of a tiny model on toy recordings: the held-out loss falls by half."""
    content = curriculum.train(
        "task1_moving_grasp",
        "training.steps_per_epoch=50",
        "training.batch_size=8",
        "training.save_steps=1000",
        "sequential.stage1.learning_rate=5e-3",
        "validation.frames=10",
    )
    assert content["best_loss"] < 0.5 * content["start_validation"]["1"]


def test_features_are_the_datas_not_the_base_models(curriculum, base_model, tmp_path):
    """`lerobot/smolvla_base` says state[6] and three other cameras."""
    base = tmp_path / "base"
    shutil.copytree(base_model, base)
    config = json.loads((base / "config.json").read_text())
    config["input_features"] = {
        "observation.state": {"type": "STATE", "shape": [6]},
        "observation.image": {"type": "VISUAL", "shape": [3, 256, 256]},
        "observation.image2": {"type": "VISUAL", "shape": [3, 256, 256]},
    }
    config["output_features"] = {"action": {"type": "ACTION", "shape": [6]}}
    (base / "config.json").write_text(json.dumps(config))
    curriculum.train("task1_moving_grasp", f"policy.pretrained={base}")
    best = curriculum.output / "task1_moving_grasp" / "best"
    stored = json.loads((best / "config.json").read_text())
    assert stored["input_features"]["observation.state"]["shape"] == [16]
    assert {k for k in stored["input_features"] if "image" in k} == set(CAMERA_FEATURES)
    assert stored["input_features"][CAMERA_FEATURES[0]]["shape"] == [3, 24, 32]
    assert stored["output_features"] == {"action": {"type": "ACTION", "shape": [20]}}
    pipeline = json.loads((best / "policy_preprocessor.json").read_text())
    (features,) = (s["config"]["features"] for s in pipeline["steps"] if "features" in s["config"])
    assert features["observation.state"]["shape"] == [16]
