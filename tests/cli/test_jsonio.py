"""A report is whole or not there, is strict JSON, and replaces nothing but a report."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_cli import jsonio
from kuavo_cli.errors import UserError
from kuavo_cli.jsonio import to_plain, write_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    return value


@given(JSON)
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_json(path, data)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    assert json.loads(path.read_text(), parse_constant=refuse) == finite(data)


@dataclasses.dataclass
class Point:
    where: Path
    values: Any


def test_numpy_paths_dataclasses_and_sets() -> None:
    point = Point(Path("a/b"), np.array([1.5, np.nan]))
    assert to_plain({1: point, "s": {2, 1}, "n": np.float32(0.5), "t": (1,)}) == {
        "1": {"where": "a/b", "values": [1.5, None]},
        "s": [1, 2],
        "n": 0.5,
        "t": [1],
    }


def test_what_json_does_not_know_is_named() -> None:
    with pytest.raises(TypeError, match="object"):
        to_plain({"x": object()})


def test_folders_are_made_and_a_report_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_json(path, 1)
    write_json(path, 2)
    assert json.loads(path.read_text()) == 2
    assert os.listdir(path.parent) == ["a.json"]


def test_something_else_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "thesis.tex"
    path.write_text("\\documentclass")
    with pytest.raises(UserError, match="left as it is"):
        write_json(path, 1)
    with pytest.raises(UserError, match="left as it is"):
        write_json(tmp_path, 1)
    assert path.read_text() == "\\documentclass"


def test_a_write_that_fails_leaves_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_json(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jsonio.os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        write_json(path, "new")
    assert json.loads(path.read_text()) == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        write_json(tmp_path / "file" / "a.json", 1)
