"""What an evaluation leaves: whole or nothing, and read back only as what it is."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from kuavo_cli.errors import UserError
from kuavo_eval.folder import EvaluationFolder, read_scores
from kuavo_eval.report import Page


def write(out: Path, kind: str = "offline", **content: object) -> None:
    with EvaluationFolder(out, kind) as folder:
        (folder.path / "scores.parquet").write_bytes(b"x")
        folder.finish({"provenance": {}, **content}, lambda d: Page(d, "T", "L").html())


def test_it_appears_whole(tmp_path: Path) -> None:
    write(tmp_path / "e", loss=np.float32(0.5), nothing=math.nan)
    assert sorted(os.listdir(tmp_path / "e")) == ["report.html", "scores.json", "scores.parquet"]
    scores = read_scores(tmp_path / "e", "offline", "trials")
    assert scores["loss"] == 0.5 and scores["nothing"] is None and scores["schema"] == 1
    assert read_scores(tmp_path / "e" / "scores.json") == scores
    assert os.listdir(tmp_path) == ["e"]


def test_an_interrupted_one_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), EvaluationFolder(tmp_path / "e", "offline"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []
    with pytest.raises(ZeroDivisionError), EvaluationFolder(tmp_path / "e", "trials") as folder:
        folder.finish({}, lambda document: str(1 / 0))
    assert os.listdir(tmp_path) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "e")
    before = (tmp_path / "e" / "scores.json").read_bytes()
    with pytest.raises(UserError, match="exists: choose another --out"):
        write(tmp_path / "e")
    assert (tmp_path / "e" / "scores.json").read_bytes() == before


def test_what_is_no_evaluation_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "e")
    with pytest.raises(UserError, match="offline scores: expected trials or comparison"):
        read_scores(tmp_path / "e", "trials", "comparison")
    with pytest.raises(UserError, match="is no evaluation"):
        read_scores(tmp_path / "absent")
    file = tmp_path / "e" / "scores.json"
    content = json.loads(file.read_text())
    for text, match in (
        (json.dumps({**content, "schema": 9}), "schema 9"),
        (file.read_text()[:-20], "cannot be read"),
        ("[1]", "cannot be read"),
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=match):
            read_scores(tmp_path / "e")


def test_keys_have_no_dots(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.0\.x\.y"):
        write(tmp_path / "e", a=[{"x.y": 1}])
    assert os.listdir(tmp_path) == []


def test_kinds_are_known() -> None:
    with pytest.raises(ValueError, match="offline, trials"):
        EvaluationFolder(Path("x"), "scores")
