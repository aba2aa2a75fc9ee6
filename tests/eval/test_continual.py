"""`kuavo eval continual` on a real sequence of trainings, small enough for a test."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_eval.commands.continual import app
from kuavo_eval.continual import gate
from kuavo_eval.continual.agreement import agreement
from kuavo_eval.continual.matrix import Matrix
from kuavo_eval.continual.run import Options, evaluate
from kuavo_eval.continual.runs import Row, Stage, check_alike, open_run
from kuavo_eval.continual.scoring import _groups
from kuavo_eval.folder import read_scores
from kuavo_eval.offline import Options as OfflineOptions
from kuavo_eval.offline import Source
from kuavo_eval.simulation import SimulationSettings
from kuavo_eval.statistics import bootstrap_ratio
from kuavo_train.tasks import load_tasks
from tests.eval.page_numbers import check_page
from tests.train.conftest import STAGES, Curriculum, base_model, recorded, tasks

__all__ = ["base_model", "recorded", "tasks"]  # fixtures

HALF = "validation.fraction=0.5"  # two of four episodes are held out: enough for an interval


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, recorded: Path, base_model: Path) -> Path:
    """Four stages. The last one also stands for the joint training: a ceiling that is known."""
    run = Curriculum(tmp_path_factory.mktemp("chain") / "out", recorded, base_model)
    for stage in STAGES:
        run.train(stage, HALF)
    shutil.copytree(run.output / STAGES[-1] / "best", run.output / "joint" / "best")
    return run.output


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory, chain: Path) -> Path:
    """The stages once more as what they are compared with: a floor that is known."""
    root = tmp_path_factory.mktemp("floor") / "out"
    for stage in STAGES:
        shutil.copytree(chain / stage / "best", root / stage / "best")
    return root


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, chain: Path, floor: Path) -> Path:
    """The command's folder."""
    out = tmp_path_factory.mktemp("evaluated") / "c"
    arguments = [str(chain), "--floor", str(floor), "--out", str(out), "--device", "cpu"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1, done.output  # so little training meets no threshold
    assert "Not passed: " in done.output
    return out


def test_every_checkpoint_on_every_task(evaluated: Path) -> None:
    scores = read_scores(evaluated, "continual")
    stages = [f"stage{n}" for n in (1, 2, 3, 4)]
    floors = [f"floor{n}" for n in (1, 2, 3, 4)]
    assert [row["key"] for row in scores["rows"]] == ["base", *stages, "joint", *floors]
    for name in ("loss", "error"):
        cells = scores["matrices"][name]["cells"]
        assert set(cells) == {"base", *stages, "joint", *floors}
        for row in cells.values():
            assert list(row) == list(load_tasks())
            assert all(cell["low"] <= cell["value"] <= cell["high"] for cell in row.values())
    assert scores["episodes"] == dict.fromkeys(load_tasks(), 2)
    assert len(pd.read_parquet(evaluated / "matrices.parquet")) == 2 * 10 * 4


def test_the_losses_are_those_that_training_measured(evaluated: Path, chain: Path) -> None:
    """Two programs, the same frames, noise and times: one number."""
    scores = read_scores(evaluated)
    cells = scores["matrices"]["loss"]["cells"]
    compared = 0
    for number, stage in enumerate(STAGES, start=1):
        results = json.loads((chain / stage / "training_results.json").read_text())
        for task_id, loss in results["best_validation"].items():
            task = list(load_tasks())[int(task_id) - 1]
            assert cells[f"stage{number}"][task]["value"] == pytest.approx(loss, rel=1e-4)
            compared += 1
    start = json.loads((chain / STAGES[0] / "training_results.json").read_text())
    first = start["start_validation"]["1"]
    assert cells["base"]["moving_grasp"]["value"] == pytest.approx(first, rel=1e-4)
    assert scores["agreement"]["agrees"] and scores["agreement"]["compared"] == compared == 10


def test_losses_over_other_frames_are_said_to_differ(evaluated: Path, chain: Path) -> None:
    cells = read_scores(evaluated)["matrices"]["loss"]["cells"]
    loss = loss_of(1.01 * cells["stage1"]["moving_grasp"]["value"])
    found = agreement(open_run(chain).stages[:1], ["stage1"], loss)
    assert found["agrees"] is False
    assert found["largest"] == pytest.approx(0.01, rel=1e-2)
    assert agreement([stage_one()], ["stage1"], loss)["agrees"] is None


def test_figures_follow_from_the_cells(evaluated: Path) -> None:
    scores = read_scores(evaluated)
    names = list(load_tasks())
    cells = scores["matrices"]["error"]["cells"]
    r = [[cells[f"stage{i}"][t]["value"] for t in names] for i in (1, 2, 3, 4)]
    base = [cells["base"][t]["value"] for t in names]
    figures = scores["figures"]["error"]
    assert figures["acc"]["value"] == pytest.approx(sum(r[3]) / 4)
    assert figures["bwt"]["value"] == pytest.approx(sum(r[j][j] - r[3][j] for j in range(3)) / 3)
    assert figures["fwt"]["value"] == pytest.approx(
        sum(base[j] - r[j - 1][j] for j in (1, 2, 3)) / 3
    )
    assert figures["nbt_by_task"][2]["plain"]["value"] == pytest.approx(r[3][2] - r[2][2])
    assert scores["ceiling"]["error"]["value"] == pytest.approx(
        sum(cells["joint"][t]["value"] for t in names) / 4
    )
    assert scores["ceiling"]["error"]["value"] == pytest.approx(figures["acc"]["value"])
    for name in ("loss", "error"):
        floors = scores["floor_figures"][name]
        assert floors["bwt"]["value"] == pytest.approx(scores["figures"][name]["bwt"]["value"])
    assert figures["bwt"]["low"] <= figures["bwt"]["value"] <= figures["bwt"]["high"]


def test_the_gate_has_every_threshold_of_the_guide(evaluated: Path) -> None:
    rows = read_scores(evaluated)["gate"]["criteria"]
    limits = [(row["stage"], row["limit"]) for row in rows[:-1]]
    assert limits == [
        (1, 0.5), (2, 0.7), (2, 0.5), (3, 0.8), (3, 0.8), (3, 0.5),
        (4, 1.0), (4, 1.0), (4, 1.0), (4, 0.5),
    ]  # fmt: skip
    assert rows[-1]["criterion"] == "stage 4: switches between its tasks by language"
    assert all(row["met"] == (row["value"]["value"] < row["limit"]) for row in rows[:-1])


def test_without_rollouts_no_proxy_is_validated(evaluated: Path) -> None:
    proxy = read_scores(evaluated)["proxy"]
    assert proxy["loss"]["status"] == proxy["error"]["status"] == "unvalidated"


def test_the_page_shows_what_the_document_says(evaluated: Path) -> None:
    shown = check_page(evaluated)
    sources = {source for source, *_ in shown.values}
    assert {
        "verdict.text",
        "matrices.loss.cells.stage3.sorting",
        "figures.error.nbt_relative",
        "floor_figures.loss.bwt",
        "gate.criteria.3.value",
    } <= sources


def test_only_stages_that_there_are(chain: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    for stage in STAGES[:2]:
        shutil.copytree(chain / stage, half / stage)
    run = open_run(half)
    assert [task.name for task in run.tasks] == ["moving_grasp", "weighing"] and run.joint is None
    with pytest.raises(UserError, match="floor is the same sequence"):
        check_alike(run, open_run(chain))
    shutil.rmtree(half / STAGES[0])
    with pytest.raises(UserError, match="holds no sequential training"):
        open_run(half)
    shutil.copytree(chain / STAGES[0], half / STAGES[0])
    shutil.copytree(chain / STAGES[2], half / STAGES[2])
    shutil.rmtree(half / STAGES[1])
    with pytest.raises(UserError, match="lacks stage 2"):
        open_run(half)


def test_what_is_wrong_is_named_before_anything_is_scored(chain: Path, tmp_path: Path) -> None:
    def failing(*arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "o"), "--base", "none"])
        assert isinstance(done.exception, UserError), done.output
        assert not (tmp_path / "o").exists()
        return str(done.exception)

    assert "does not exist" in failing(str(tmp_path / "absent"))
    assert "holds no sequential training" in failing(str(chain), "--checkpoint", "epoch77")
    assert "unknown task" in failing(str(chain), "--data", f"task9={tmp_path}")
    assert "does not exist" in failing(str(chain), "--data", f"task2={tmp_path / 'absent'}")


def test_a_damaged_checkpoint_gets_no_score(chain: Path, tmp_path: Path) -> None:
    copy = tmp_path / "chain"
    shutil.copytree(chain, copy)
    weights = copy / STAGES[1] / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    out = tmp_path / "o"
    done = CliRunner().invoke(app, [str(copy), "--out", str(out), "--base", "none"])
    assert isinstance(done.exception, UserError) and "damaged" in str(done.exception)
    assert not out.exists()


def test_big_checkpoints_are_scored_one_at_a_time(tmp_path: Path) -> None:
    rows = []
    for i, size in enumerate((40, 70, 20, 300, 10)):
        (tmp_path / str(i)).mkdir()
        (tmp_path / str(i) / "model.safetensors").write_bytes(b"x" * size)
        rows.append(Row(f"r{i}", "", tmp_path / str(i)))
    groups = [[row.key for row in group] for group in _groups(rows, limit=100)]
    assert groups == [["r0"], ["r1", "r2"], ["r3"], ["r4"]]


def loss_of(value: float, episodes: int = 5) -> Matrix:
    sums = bootstrap_ratio([[value] * episodes], [[1.0] * episodes])
    return Matrix(("stage1",), ("moving_grasp",), "", True, {"moving_grasp": sums})


def stage_one(**results: Any) -> Stage:
    task = load_tasks()["moving_grasp"]
    return Stage(1, task, Path("x"), {"moving_grasp": 0.5}, results)


def test_a_threshold_is_met_below_it_alone() -> None:
    for value, met in ((0.499, True), (0.5, False), (0.7, False)):
        (row,) = gate.criteria([stage_one()], ["stage1"], loss_of(value), None)
        assert row["met"] is met and row["certain"] is True


def test_a_missing_score_meets_nothing() -> None:
    (row,) = gate.criteria([stage_one()], ["stage1"], loss_of(float("nan")), None)
    assert row["met"] is False


def test_forgetting_of_success_has_a_mark() -> None:
    for nbt, met in ((0.02, True), (0.04, False)):
        success = {"nbt": {"value": nbt, "low": None, "high": None, "unit": "fraction"}}
        row = gate.criteria([stage_one()], ["stage1"], loss_of(0.1), success)[-1]
        assert row["met"] is met and row["limit"] == 0.03


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_with_simulated_trials(
    chain: Path, recorded: Path, base_model: Path, tmp_path: Path
) -> None:
    """Success of six checkpoints on four tasks: enough to ask whether the error predicts it."""
    options = Options(
        OfflineOptions(parts=("loss", "error"), device="cpu"),
        tmp_path / "trials",
        episodes=1,
        simulation=SimulationSettings(
            latency=0.1, image_size=(48, 64), time_limit=1.0, videos=0, device="cpu"
        ),
    )
    sources = [Source(name, recorded / name) for name in load_tasks()]
    document, _ = evaluate(open_run(chain), sources, options, tmp_path, base_model)
    cells = document["matrices"]["success"]["cells"]
    assert set(cells) == {"base", "stage1", "stage2", "stage3", "stage4", "joint"}
    assert all(cell["trials"] == 1 for row in cells.values() for cell in row.values())
    assert document["proxy"]["error"]["checkpoints"] == 6
    assert "same success rate" in document["proxy"]["error"]["why"]
    assert document["gate"]["criteria"][-1]["limit"] == gate.NBT_MARK
