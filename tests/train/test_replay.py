"""Replay: exact shares in every batch, training episodes only, reproducible."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuavo_train.episodes.samples import Samples
from kuavo_train.episodes.split import split_episodes
from kuavo_train.episodes.table import open_table
from kuavo_train.errors import DataError, TrainingError
from kuavo_train.replay.mixture import LocalBatches, Mixture
from kuavo_train.replay.shares import batch_counts, check_shares
from kuavo_train.replay.strategies import make_strategy

percents = st.lists(st.integers(0, 100), min_size=1, max_size=6).filter(sum)


@given(percents, st.integers(1, 64), st.integers(1, 60))
@settings(deadline=None)
def test_every_batch_has_its_share_up_to_rounding_and_the_sum_is_exact(parts, batch, batches):
    shares = {str(i): Fraction(part, sum(parts)) for i, part in enumerate(parts)}
    counts = batch_counts(shares, batch, batches)
    exact = np.array([float(share) * batch for share in shares.values()])
    assert (counts.sum(axis=1) == batch).all()
    assert (counts >= np.floor(exact - 1e-9)).all()
    assert (counts <= np.ceil(exact + 1e-9)).all()
    drift = np.cumsum(counts, axis=0) - exact * np.arange(1, batches + 1)[:, None]
    assert np.abs(drift).max() < max(1, len(parts) - 1) + 1e-6


def test_the_guides_shares_at_batch_16():
    counts = batch_counts(check_shares({"1": 0.2, "2": 0.8}, "x"), 16, 5)
    assert counts.sum(axis=0).tolist() == [16, 64]
    assert set(counts[:, 0]) == {3, 4}


@pytest.mark.parametrize("wrong", [{"a": 0.5, "b": 0.6}, {"a": -0.2, "b": 1.2}, {"a": 0.0}])
def test_shares_that_are_none(wrong):
    with pytest.raises(TrainingError, match=r"sequential\.stage2_replay must be shares"):
        check_shares(wrong, "sequential.stage2_replay")


def mixture(seed=0, steps=40, batch=10):
    rows = {"old": np.arange(100, 117), "new": np.arange(500, 561)}
    return Mixture(rows, {"old": Fraction(3, 10), "new": Fraction(7, 10)}, batch, steps, seed)


def test_batches_hold_the_shares_and_only_the_given_rows():
    plan = mixture()
    for step in range(len(plan)):
        draws = plan.batch(step)
        assert sum(d.task == "old" for d in draws) == 3
        assert all(100 <= d.row < 117 if d.task == "old" else 500 <= d.row < 561 for d in draws)


def test_each_pass_shows_every_frame_once():
    plan = mixture()
    rows = np.concatenate([[d.row for d in plan.batch(s) if d.task == "old"] for s in range(17)])
    assert (np.bincount(rows, minlength=117)[100:] == 3).all()  # 17 batches of 3 of 17 frames


def test_a_batch_depends_on_seed_and_step_alone():
    assert mixture().batch(23) == mixture().batch(23)
    assert mixture(seed=1).batch(23) != mixture().batch(23)
    assert mixture(steps=24).batch(23) == mixture(steps=40).batch(23)


def test_processes_and_micro_batches_share_one_global_batch():
    plan = mixture(batch=12)
    parts = [LocalBatches(plan, 3, 2, rank, 2, first=5) for rank in (0, 1)]
    seen = [list(part) for part in parts]
    assert len(seen[0]) == (40 - 5) * 2
    joined = [d for micro in (0, 1) for rank in (0, 1) for d in seen[rank][micro]]
    assert joined == plan.batch(5)


def test_a_task_without_frames_is_an_error():
    with pytest.raises(DataError, match="no frames to draw from for old"):
        Mixture({"old": np.zeros(0, int)}, {"old": Fraction(1)}, 4, 1, 0)


def test_split_is_by_episode_stable_and_disjoint():
    split = split_episodes("weighing", 200, 0.1, 0)
    assert len(split.held_out) == 20
    assert not set(split.train) & set(split.held_out)
    assert split == split_episodes("weighing", 200, 0.1, 0)
    assert split != split_episodes("weighing", 200, 0.1, 1)
    with pytest.raises(DataError, match="are needed"):
        split_episodes("weighing", 1, 0.1, 0)
    with pytest.raises(DataError, match=r"validation\.fraction"):
        split_episodes("weighing", 9, 0.0, 0)


def test_reservoir_keeps_whole_episodes_and_the_same_ones():
    train = list(range(180))
    few, more = (make_strategy("reservoir", fraction=f) for f in (0.02, 0.05))
    assert len(few.episodes("weighing", train)) == 4
    assert set(few.episodes("weighing", train)) < set(more.episodes("weighing", train))
    assert few.episodes("weighing", train) != few.episodes("placement", train)
    assert make_strategy("reservoir", fraction=0.001).episodes("weighing", [3, 4])
    with pytest.raises(TrainingError, match="fraction"):
        make_strategy("reservoir", fraction=0)


def test_unknown_strategy_or_option():
    with pytest.raises(TrainingError, match="choose from uniform, reservoir, none"):
        make_strategy("magic")
    with pytest.raises(TrainingError, match="uniform"):
        make_strategy("uniform", fraction=0.1)


def test_no_replay_gives_all_to_the_new_task():
    strategy = make_strategy("none")
    assert strategy.shares({"a": 0.2, "b": 0.8}, "b") == {"b": 1.0}
    assert strategy.episodes("a", [1, 2]) == ()


def test_each_sample_carries_its_own_tasks_instruction(recorded, tasks):
    tables = {
        name: open_table(tasks[name], recorded / name, tasks, 10)
        for name in ("weighing", "sorting")
    }
    samples = Samples(tables, 6, (32, 32))
    from kuavo_train.episodes.samples import Draw

    for name, table in tables.items():
        sample = samples[Draw(name, 3, 0)]
        assert sample["task"] == table.task.instruction
        assert sample["recorded_dims"].sum() == table.task.action_dim


def test_chunks_stop_at_the_episodes_end(recorded, tasks):
    table = open_table(tasks["sorting"], recorded / "sorting", tasks, 10)
    last = int(table.ends[1]) - 2
    actions, is_pad = table.chunk(last, 6)
    assert is_pad.tolist() == [False, False, True, True, True, True]
    np.testing.assert_array_equal(actions[:2], table.unified[last : last + 2])
    np.testing.assert_array_equal(actions[2:], np.tile(table.unified[last + 1], (4, 1)))


def test_replay_never_draws_held_out_episodes(trained):
    import json

    from .conftest import STAGES

    run, _ = trained
    manifest = json.loads((run.output / STAGES[3] / "best" / "manifest.json").read_text())
    for record in manifest["lineage"]["tasks"]:
        assert record["trained"]
        assert record["held_out"]
        assert not set(record["trained"].values()) & set(record["held_out"].values())


def test_the_floor_and_the_reservoir_train(curriculum, trained):
    import json
    import shutil

    from .conftest import STAGES

    run, _ = trained
    curriculum.output.mkdir()
    shutil.copytree(run.output / STAGES[0], curriculum.output / STAGES[0])
    shutil.copy(run.output / "normalization.json", curriculum.output)
    floor = curriculum.train("task2_weighing", "replay=none")
    assert floor["replay_shares"] == {"1": 0.0, "2": 1.0}
    kept = curriculum.train("task2_weighing", "replay=reservoir", "overwrite=true")
    assert kept["replay_shares"] == {"1": 0.2, "2": 0.8}
    manifest = json.loads((curriculum.output / STAGES[1] / "best" / "manifest.json").read_text())
    assert len(manifest["lineage"]["tasks"][0]["trained"]) == 3  # stage 1 saw them all
    assert (curriculum.output / "task2_weighing.old1").is_dir()
