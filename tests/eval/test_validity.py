"""`kuavo eval proxy`: checkpoints matched by weights, five of them or no figure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_eval.commands.proxy import app
from kuavo_eval.folder import EvaluationFolder, read_scores
from kuavo_eval.trials import TrialLog
from kuavo_eval.validity.run import validity
from tests.eval.made_trials import trial, won
from tests.eval.page_numbers import check_page

SUCCESSES = (1, 3, 5, 7, 9)


def offline_of(folder: Path, errors: list[float]) -> Path:
    """Checkpoint i has the weights 'iii…' and this error in each of three episodes."""
    rows = [
        {"checkpoint": f"offline{i}", "task": "weighing", "episode": f"e{e}",
         "error_sum": 40 * error, "error_count": 40, "loss_sum": None, "loss_count": None}
        for i, error in enumerate(errors) for e in range(3)
    ]  # fmt: skip
    about = {f"offline{i}": {"sha256": str(i) * 64} for i in range(len(errors))}
    with EvaluationFolder(folder, "offline") as out:
        pd.DataFrame(rows).to_parquet(out.path / "episodes.parquet")
        out.finish({"provenance": {"checkpoints": about}})
    return folder


def trials_of(folder: Path, successes: tuple[int, ...], source: str = "simulation") -> Path:
    """Ten trials of each checkpoint."""
    folder.mkdir()
    with TrialLog(folder) as log:
        for i, count in enumerate(successes):
            for seed, success in enumerate(won(count, 10)):
                one = trial("weighing", seed, success, f"sim{i}", source=source)
                log.append(replace(one, checkpoint_sha256=str(i) * 64))
    return folder


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty trials of five checkpoints."""
    return trials_of(tmp_path_factory.mktemp("trials") / "t", SUCCESSES)


def test_an_error_that_ranks_like_success(tmp_path: Path, trials: Path) -> None:
    offline = offline_of(tmp_path / "o", [0.5, 0.4, 0.3, 0.2, 0.1])
    document = validity([offline, trials])
    found = document["overall"]["error"]
    assert found["status"] == "validated" and found["mmrv"] == 0
    assert found["spearman"] == pytest.approx(-1) and found["pearson"] == pytest.approx(-1)
    assert [row["label"] for row in document["checkpoints"]] == [f"offline{i}" for i in range(5)]
    assert document["per_task"]["weighing"]["error"] == found
    assert "loss" not in document["overall"]


def test_one_exchanged_pair_by_hand(tmp_path: Path, trials: Path) -> None:
    """The two middle ones exchanged: two of five lose 20 points."""
    offline = offline_of(tmp_path / "o", [0.5, 0.3, 0.4, 0.2, 0.1])
    document = validity([trials, offline])
    assert document["overall"]["error"]["mmrv"] == pytest.approx(2 * 0.2 / 5)


def test_four_are_not_enough_and_others_do_not_count(tmp_path: Path, trials: Path) -> None:
    offline = offline_of(tmp_path / "o", [0.5, 0.4, 0.3, 0.2])
    document = validity([offline, trials])
    assert len(document["checkpoints"]) == 4
    assert document["overall"]["error"]["status"] == "unvalidated"


def test_what_cannot_be_joined_is_said_so(tmp_path: Path) -> None:
    offline = offline_of(tmp_path / "o", [0.5, 0.4])
    trials = trials_of(tmp_path / "t", (1, 2))
    robot = trials_of(tmp_path / "r", (1, 2), source="robot")
    with pytest.raises(UserError, match="no checkpoint has both"):
        validity([offline])
    with pytest.raises(UserError, match="trials from robot and simulation"):
        validity([offline, trials, robot])


def test_the_command_and_its_page(tmp_path: Path, trials: Path) -> None:
    offline = offline_of(tmp_path / "o", [0.5, 0.3, 0.4, 0.2, 0.1])
    out = tmp_path / "out"
    done = CliRunner().invoke(app, [str(offline), str(trials), "--out", str(out)])
    assert done.exit_code == 0, done.output
    text = read_scores(out, "proxy")["verdict"]["text"]
    assert done.output.splitlines()[0] == text
    assert text.startswith("Normalized error and success of 5 checkpoints: Spearman −0.900")
    assert check_page(out).plots == 1
