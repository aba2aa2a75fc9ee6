"""One set of statistics for the whole chain; no stage and no fine-tuning moves it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kuavo_deploy.robot.layout import MOVE
from kuavo_deploy.robot.version import load_limits
from kuavo_train.checkpoint.processors import make_processors
from kuavo_train.checkpoint.reader import open_checkpoint
from kuavo_train.errors import CheckpointError, DataError, TrainingError
from kuavo_train.policy.normalization import (
    Statistics,
    TaskVectors,
    from_data,
    from_limits,
)

from .conftest import REPOSITORY, STAGES
from .recordings import record


def vectors(seed: int, frames: int, scale: float) -> TaskVectors:
    rng = np.random.default_rng(seed)
    return TaskVectors(
        (rng.normal(size=(frames, 16)) * scale).astype(np.float32),
        (rng.normal(size=(frames, 20)) * scale).astype(np.float32),
    )


def test_every_task_weighs_the_same_however_long():
    short, long = vectors(1, 50, 1.0), vectors(2, 5000, 3.0)
    pooled = from_data({"a": short, "b": long}).values["action"]
    expected = (short.actions.mean(axis=0) + long.actions.mean(axis=0)) / 2
    np.testing.assert_allclose(pooled["mean"], expected, atol=1e-5)
    assert pooled["std"].mean() == pytest.approx(np.sqrt((1 + 9) / 2), rel=0.05)


def test_a_joint_that_never_moves_gets_a_floor():
    still = TaskVectors(np.zeros((9, 16), np.float32), np.zeros((9, 20), np.float32))
    std = from_data({"a": still}).values["action"]["std"]
    assert std[0] == pytest.approx(0.1)
    assert std[MOVE] == pytest.approx(0.25)


def test_standing_still_is_within_reach_of_the_scale(trained):
    """`move` = 0 and 1 are both ordinary targets, not many deviations out."""
    run, _ = trained
    statistics = Statistics.from_json(run.output / "normalization.json")
    mean, std = (statistics.values["action"][k][MOVE] for k in ("mean", "std"))
    assert abs(0 - mean) / std < 3
    assert abs(1 - mean) / std < 3


def test_statistics_come_from_training_episodes_only(trained, recorded, tasks):
    run, _ = trained
    manifest = open_checkpoint(run.output / STAGES[3] / "best").manifest
    from kuavo_train.episodes.table import open_table

    used = {}
    for record_ in manifest.lineage.tasks:
        table = open_table(tasks[record_.name], recorded / record_.name, tasks, 10)
        rows = table.rows([e for e in table.episodes if str(e) not in record_.held_out])
        used[record_.name] = TaskVectors(table.states[rows], table.unified[rows])
    assert from_data(used).hash == manifest.normalization_hash


def test_start_postures_are_those_of_the_training_episodes(trained, recorded, tasks):
    run, _ = trained
    checkpoint = run.output / STAGES[3] / "best"
    from kuavo_deploy.policy.starts import start_postures
    from kuavo_train.episodes.table import open_table

    starts = start_postures(checkpoint)
    for record_ in open_checkpoint(checkpoint).manifest.lineage.tasks:
        table = open_table(tasks[record_.name], recorded / record_.name, tasks, 10)
        first = [table.starts[e] for e in table.episodes if str(e) not in record_.held_out]
        median = np.median(table.states[first], axis=0)
        np.testing.assert_allclose(record_.start, median, atol=1e-5)
        arms = [*range(7), *range(8, 15)]
        np.testing.assert_allclose(starts[record_.name], median[arms], atol=1e-5)


def test_limits_need_no_data_and_cover_the_robot():
    limits = load_limits(45, REPOSITORY / "configs" / "robot")
    statistics = from_limits(limits, workspace=4.0)
    action = statistics.values["action"]
    normalized = (limits.upper - action["mean"][[*range(7), *range(8, 15)]]) / action["std"][
        [*range(7), *range(8, 15)]
    ]
    np.testing.assert_allclose(normalized, np.sqrt(3), rtol=1e-5)


def test_json_reads_back_bit_by_bit(tmp_path):
    statistics = from_data({"a": vectors(0, 100, 0.37)})
    (tmp_path / "n.json").write_text(statistics.to_json())
    again = Statistics.from_json(tmp_path / "n.json")
    assert again.hash == statistics.hash
    for feature, values in statistics.values.items():
        for name, array in values.items():
            assert array.tobytes() == again.values[feature][name].tobytes()


def test_altered_or_incomplete_statistics_are_refused(tmp_path):
    text = from_data({"a": vectors(0, 100, 1.0)}).to_json()
    file = tmp_path / "n.json"
    content = json.loads(text)
    content["values"]["action"]["mean"][3] += 0.5
    file.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="altered"):
        Statistics.from_json(file)
    del content["values"]["action"]
    file.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="no normalization statistics"):
        Statistics.from_json(file)
    with pytest.raises(CheckpointError, match="missing"):
        Statistics.from_json(tmp_path / "absent.json")


def test_missing_statistics_are_an_error_not_a_silent_pass_through(trained):
    run, _ = trained
    checkpoint = open_checkpoint(run.output / STAGES[0] / "best")
    with pytest.raises(CheckpointError, match="no mean of action"):
        partial = {"observation.state": checkpoint.statistics.values["observation.state"]}
        make_processors(checkpoint.config, Statistics(partial, ""))


def test_a_stage_refuses_a_parent_of_another_chain(trained, curriculum):
    run, _ = trained
    curriculum.train("task1_moving_grasp", "normalization=limits", "sequential.stage1.epochs=1")
    with pytest.raises(CheckpointError, match="other normalization statistics"):
        curriculum.train("task2_weighing", f"sequential.parent={run.output / STAGES[0] / 'best'}")


def test_stage_1_asks_for_all_tasks_or_limits(curriculum, recorded, tmp_path):
    alone = tmp_path / "alone"
    (alone).mkdir()
    (alone / "moving_grasp").symlink_to(recorded / "moving_grasp")
    only = f"data.root='{alone}/{{name}}'"
    with pytest.raises(DataError, match=r"task 2 \(weighing\)[\s\S]*normalization=limits"):
        curriculum.train("task1_moving_grasp", only)
    curriculum.train("task1_moving_grasp", only, "normalization=limits", "overwrite=true")


def test_joint_training_beside_a_chain_takes_the_chains(trained, curriculum):
    """Losses of the ceiling and of the chain are on one scale, and the chain's file stays."""
    import shutil

    run, _ = trained
    curriculum.output.mkdir()
    chain = curriculum.output / "normalization.json"
    shutil.copy(run.output / "normalization.json", chain)
    before = chain.read_bytes()
    settings = ("normalization=limits", "sequential.joint.epochs=1")
    curriculum.train("task1_moving_grasp", *settings, name="smolvla_joint")
    assert chain.read_bytes() == before
    assert (curriculum.output / "joint" / "best" / "normalization.json").read_bytes() == before


def test_retraining_on_more_data_is_refused_when_resuming(curriculum, recorded, tmp_path, tasks):
    import shutil

    shutil.copytree(recorded, tmp_path / "copy")
    root = f"data.root='{tmp_path}/copy/{{name}}'"
    curriculum.train("task1_moving_grasp", root)
    shutil.rmtree(tmp_path / "copy" / "sorting")
    record(tasks["sorting"], tmp_path / "copy" / "sorting", episodes=5)
    with pytest.raises(TrainingError, match="statistics are not those"):
        curriculum.train("task1_moving_grasp", root, "resume=true")
