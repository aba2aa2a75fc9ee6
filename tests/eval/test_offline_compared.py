"""`kuavo eval compare` on folders that `eval offline` and `eval sim` themselves have written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from kuavo_eval.commands import compare, offline, sim
from kuavo_eval.folder import COMPARISON, read_scores
from tests.deploy.tiny_policy import write_tiny_checkpoint

from .conftest import EPISODES
from .page_numbers import check_page


def run(app, *arguments: object) -> str:
    """A command's output; it has to succeed."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


@pytest.fixture(scope="module")
def evaluated(recordings, tiny_checkpoint, tmp_path_factory) -> list[Path]:
    """Two checkpoints, each evaluated alone, on two tasks."""
    root = tmp_path_factory.mktemp("evaluated")
    other = write_tiny_checkpoint(root / "other", np.full(14, 0.4), spread=0.3, seed=1)
    for name, folder in (("new", tiny_checkpoint), ("old", other)):
        run(
            offline.app, "--checkpoint", f"{name}={folder}", "--out", root / name,
            "--data", f"task2={recordings / 'weighing'}", "--data", f"4={recordings / 'sorting'}",
            "--parts", "error,loss", "--every", "8", "--loss-frames", "6", "--device", "cpu",
        )  # fmt: skip
    return [root / "new", root / "old"]


def test_two_offline_evaluations(evaluated, tmp_path):
    """Paired episode by episode; the difference is that of the two documents."""
    out = tmp_path / "comparison"
    said = run(compare.app, *evaluated, "--out", out)
    document = read_scores(out, COMPARISON)
    assert said.splitlines()[0] == document["verdict"]["text"]
    assert [document["sides"][side]["label"] for side in "ab"] == ["new", "old"]
    alone = [read_scores(folder)["checkpoints"] for folder in evaluated]
    for task in ("weighing", "sorting"):
        row = document["tasks"][task]
        new, old = (
            s[n]["tasks"][task]["error"] for s, n in zip(alone, ("new", "old"), strict=True)
        )
        assert row["a"]["value"] == pytest.approx(new["value"])
        assert row["difference"]["value"] == pytest.approx(new["value"] - old["value"])
        assert row["episodes"] == EPISODES == sum(row["better_in"].values())
        assert row["p"] >= 0.25, "three episodes cannot decide"
    assert len(pd.read_parquet(next(out.glob("*.parquet")))) == 2 * EPISODES
    check_page(out)


def test_their_losses(evaluated, tmp_path):
    out = tmp_path / "comparison"
    run(compare.app, *evaluated, "--measure", "loss", "--out", out)
    row = read_scores(out, COMPARISON)["tasks"]["sorting"]
    new = read_scores(evaluated[0])["checkpoints"]["new"]["tasks"]["sorting"]["loss"]
    assert row["a"]["value"] == pytest.approx(new["value"])


@pytest.mark.slow
def test_two_evaluations_in_simulation(tmp_path):
    """A demonstration played back against standing still, in the same scene."""
    for name in ("demonstration", "hold"):
        run(
            sim.app, "--stand-in", name, "--task", "weighing", "--episodes", "1", "--seed", "3",
            "--latency", "0.35", "--height", "48", "--width", "64", "--videos", "0",
            "--workers", "1", "--out", tmp_path / name,
        )  # fmt: skip
    out = tmp_path / "comparison"
    run(compare.app, tmp_path / "demonstration", tmp_path / "hold", "--out", out)
    row = read_scores(out, COMPARISON)["tasks"]["weighing"]
    assert (row["a"]["successes"], row["b"]["successes"], row["unit"]) == (1, 0, "pairs")
    assert "no decision on weighing" in read_scores(out)["verdict"]["text"].lower()
    check_page(out)
