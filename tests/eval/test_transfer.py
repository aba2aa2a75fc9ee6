"""The figures of continual learning, on matrices small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kuavo_eval.continual import transfer
from kuavo_eval.continual.matrix import Matrix, as_document, figures
from kuavo_eval.continual.success import success_matrix
from kuavo_eval.trials import Trial
from tests.eval.made_trials import trial

# three tasks: rows after stage 1, 2, 3
R = np.array([[0.9, 0.2, 0.1], [0.7, 0.8, 0.3], [0.5, 0.6, 0.9]])
BASE = np.array([0.1, 0.1, 0.2])


def test_acc() -> None:
    assert transfer.acc(R) == pytest.approx((0.5 + 0.6 + 0.9) / 3)


def test_bwt() -> None:
    assert transfer.bwt(R) == pytest.approx(((0.5 - 0.9) + (0.6 - 0.8)) / 2)


def test_fwt() -> None:
    assert transfer.fwt(R, BASE) == pytest.approx(((0.2 - 0.1) + (0.3 - 0.2)) / 2)


def test_forgetting_is_from_the_best_that_ever_was() -> None:
    assert transfer.forgetting(R) == pytest.approx(((0.9 - 0.5) + (0.8 - 0.6)) / 2)
    better_later = np.array([[0.5, 0, 0], [0.9, 0.8, 0], [0.6, 0.8, 0.9]])
    assert transfer.forgetting(better_later) == pytest.approx((0.3 + 0.0) / 2)
    best_at_last = np.array([[0.5, 0, 0], [0.4, 0.8, 0], [0.9, 0.7, 0.9]])
    assert transfer.forgetting(best_at_last) == pytest.approx((-0.4 + 0.1) / 2), "it gained"


def test_nbt() -> None:
    assert transfer.nbt(R, 0) == pytest.approx(((0.9 - 0.7) + (0.9 - 0.5)) / 2)
    assert transfer.nbt(R, 1) == pytest.approx(0.8 - 0.6)
    assert transfer.mean_over_tasks(transfer.nbt, R) == pytest.approx((0.3 + 0.2) / 2)
    assert transfer.nbt_relative(R, 0) == pytest.approx(0.3 / 0.9)
    assert np.isnan(transfer.nbt_relative(np.zeros((2, 2)), 0))


def test_an_error_is_turned_around() -> None:
    """An error that rose from 0.1 to 0.2 lost as much as a score that fell from 0.2 to 0.1."""
    error = np.array([[0.10, 0.50], [0.20, 0.10]])
    assert transfer.bwt(-error) == pytest.approx(-0.10)
    assert transfer.forgetting(-error) == pytest.approx(0.10)
    assert transfer.nbt(-error, 0) == pytest.approx(0.10)
    assert transfer.nbt_relative(-error, 0) == pytest.approx(1.0)  # it doubled
    assert transfer.fwt(-error, -np.array([0.6, 0.6])) == pytest.approx(0.10)


def test_resamples_ride_along() -> None:
    many = np.repeat(R[..., None], 5, axis=-1)
    for value in (transfer.acc(many), transfer.bwt(many), transfer.forgetting(many)):
        assert value.shape == (5,)
    assert transfer.nbt_relative(many, 0).shape == (5,)


def matrix(r: np.ndarray, lower: bool, rows: tuple[str, ...], episodes: int = 6) -> Matrix:
    """Episodes that all have the cell's score."""
    tasks = tuple(f"t{j}" for j in range(r.shape[1]))
    sums = {task: np.repeat(r[:, j : j + 1], episodes, axis=1) for j, task in enumerate(tasks)}
    counts = {task: np.ones_like(value) for task, value in sums.items()}
    return Matrix.of(rows, tasks, "fraction", lower, sums, counts, seed=0)


def test_figures_of_scores() -> None:
    found = figures(matrix(np.vstack([BASE, R]), False, ("b", "1", "2", "3")), ["1", "2", "3"], "b")
    assert found["acc"]["value"] == pytest.approx(2 / 3)
    assert found["bwt"]["value"] == pytest.approx(-0.3)
    assert found["fwt"]["value"] == pytest.approx(0.1)
    assert found["forgetting"]["value"] == pytest.approx(0.3)
    assert found["nbt"]["value"] == pytest.approx(0.25)
    assert found["nbt_relative"]["value"] == pytest.approx((0.3 / 0.9 + 0.2 / 0.8) / 2)
    assert [row["task"] for row in found["nbt_by_task"]] == ["t0", "t1"]
    assert found["nbt_by_task"][1]["plain"]["value"] == pytest.approx(0.2)
    assert found["bwt"]["low"] == pytest.approx(-0.3), "equal episodes vary nothing"


def test_figures_of_errors() -> None:
    """Errors 1 - R: BWT, FWT, forgetting and NBT are the same numbers, ACC stays an error."""
    found = figures(
        matrix(1 - np.vstack([BASE, R]), True, ("b", "1", "2", "3")), ["1", "2", "3"], "b"
    )
    assert found["acc"]["value"] == pytest.approx(1 / 3)
    assert found["bwt"]["value"] == pytest.approx(-0.3)
    assert found["fwt"]["value"] == pytest.approx(0.1)
    assert found["forgetting"]["value"] == pytest.approx(0.3)
    assert found["nbt"]["value"] == pytest.approx(0.25)


def test_no_base_and_one_stage_have_no_figure_and_say_why() -> None:
    found = figures(matrix(R, False, ("1", "2", "3")), ["1", "2", "3"], None)
    assert found["fwt"]["value"] is None and "--base" in found["fwt"]["why"]
    alone = figures(matrix(R[:1, :1], False, ("1",)), ["1"], None)
    assert alone["acc"]["value"] == pytest.approx(0.9)
    assert alone["bwt"]["value"] is None and alone["nbt_by_task"] == []


def test_a_missing_score_is_no_figure() -> None:
    r = R.copy()
    r[2, 0] = np.nan
    found = figures(matrix(r, False, ("1", "2", "3")), ["1", "2", "3"], None)
    assert found["bwt"]["value"] is None and "missing" in found["bwt"]["why"]


def test_intervals_come_from_whole_episodes() -> None:
    """BWT of one earlier task, paired over 30 episodes: its spread is that of their differences."""
    rng = np.random.default_rng(0)
    before = rng.normal(0.8, 0.3, 30)
    after = before - 0.2 + rng.normal(0, 0.05, 30)
    sums = {"t0": np.stack([before, after]), "t1": np.full((2, 30), 0.5)}
    counts = {task: np.ones((2, 30)) for task in sums}
    found = figures(
        Matrix.of(("1", "2"), ("t0", "t1"), "fraction", False, sums, counts, 0), ["1", "2"], None
    )
    bwt, spread = found["bwt"], (after - before).std() / np.sqrt(30)
    assert bwt["value"] == pytest.approx((after - before).mean())
    assert bwt["high"] - bwt["low"] == pytest.approx(2 * 1.96 * spread, rel=0.15)


def trials_of(outcomes: dict[str, list[bool | None]]) -> list[Trial]:
    return [
        trial("weighing", i, success, checkpoint=key)
        for key, results in outcomes.items()
        for i, success in enumerate(results)
    ]


def test_success_over_the_trials_that_count_for_all() -> None:
    trials = trials_of({"1": [True, True, False, None], "2": [True, False, False, True]})
    found = success_matrix(["1", "2"], ["weighing"], trials, seed=0)
    cells = as_document(found)["cells"]
    assert (cells["1"]["weighing"]["successes"], cells["1"]["weighing"]["trials"]) == (2, 3)
    assert (cells["2"]["weighing"]["successes"], cells["2"]["weighing"]["trials"]) == (1, 3)
    assert found.value("2", "weighing") == pytest.approx(1 / 3)


def test_no_common_trial_is_said_so() -> None:
    from kuavo_cli.errors import UserError

    with pytest.raises(UserError, match="share no trial that counts.*2 has none"):
        success_matrix(["1", "2"], ["weighing"], trials_of({"1": [True]}), seed=0)
