"""Which checkpoint is meant when none is named, and the models that come with the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from kuavo_train.checkpoint import shipped
from kuavo_train.checkpoint.reader import open_checkpoint
from kuavo_train.tasks import load_tasks


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shipped, "configs_root", lambda: tmp_path / "configs")
    return tmp_path


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    return folder


def test_ones_own_chain_is_meant_where_there_is_nothing(project: Path) -> None:
    assert shipped.default_checkpoint() == project / shipped.TRAINED


def test_without_a_chain_of_ones_own_the_shipped_model_is_meant(project: Path) -> None:
    model = made(project / "models" / "smolvla_nano_kuavo")
    assert shipped.default_checkpoint() == model
    (project / shipped.TRAINED).mkdir(parents=True)  # begun, not done
    assert shipped.default_checkpoint() == model


def test_ones_own_chain_comes_first(project: Path) -> None:
    made(project / "models" / "smolvla_nano_kuavo")
    own = made(project / shipped.TRAINED)
    assert shipped.default_checkpoint() == own


@pytest.mark.parametrize(("model", "stage"), [("base", "base"), ("first", "joint")])
def test_a_shipped_model_is_whole_small_and_knows_no_path_of_a_machine(
    model: str, stage: str
) -> None:
    folder = {"base": shipped.shipped_base, "first": shipped.shipped_first}[model]()
    assert open_checkpoint(folder).manifest.lineage.stage == stage
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 15e6
    for file in files:
        if file.suffix in (".json", ".yaml"):
            text = file.read_text(encoding="utf-8")
            for task in load_tasks().values():  # the guide's own folder, on whatever machine
                text = text.replace(f"data_root: {task.data_root}", "")
            assert str(Path.home()) not in text and '": "/' not in text, file
