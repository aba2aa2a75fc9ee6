"""However a bag is damaged: never a crash, never half a dataset."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.options import Options
from kuavo_train.data.bags.plan import plan_episode
from kuavo_train.data.bags.scan import Scan
from kuavo_train.data.bags.tracks import read_tracks
from kuavo_train.data.check.episodes import DatasetFiles
from kuavo_train.data.check.run import check_dataset
from kuavo_train.data.conversion import convert
from kuavo_train.tasks import task_named
from tests.data import synthetic
from tests.data.synthetic import Recipe

MANY = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FEW = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", params=["none", "lz4"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    bag = tmp_path_factory.mktemp("whole") / "whole.bag"
    return synthetic.write(bag, Recipe(seconds=1.5, compression=request.param)).read_bytes()


def read(path: Path) -> int:
    """Frames of the bag's episode, without its pixels; only a refusal may come out of it."""
    found = read_tracks(path, Options())
    return len(plan_episode(found, task_named("weighing"), Options()).states)


@MANY
@given(share=st.floats(0, 1))
def test_cut_off_at_any_byte(whole: bytes, tmp_path: Path, share: float) -> None:
    bag = tmp_path / "cut.bag"
    cut = int(share * len(whole))
    bag.write_bytes(whole[:cut])
    scan = Scan(bag)
    try:
        messages = sum(1 for _ in scan)
    except BagRefused:
        messages = 0
    total = 893
    if messages and messages < total:
        assert scan.repairs, "what is missing must be said"
    try:
        assert 2 <= read(bag) <= 15
    except BagRefused as refusal:
        assert str(refusal)


def test_the_whole_bag_needs_no_repair(whole: bytes, tmp_path: Path) -> None:
    bag = tmp_path / "whole.bag"
    bag.write_bytes(whole)
    scan = Scan(bag)
    assert sum(1 for _ in scan) == 893
    assert scan.repairs == []
    assert read(bag) == 15


@MANY
@given(data=st.data())
def test_any_bytes_overwritten(whole: bytes, tmp_path: Path, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(whole) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=64))
    bag = tmp_path / "noise.bag"
    bag.write_bytes(whole[:start] + noise + whole[start + len(noise) :])
    try:
        assert read(bag) >= 2
    except BagRefused as refusal:
        assert str(refusal)


@FEW
@given(share=st.floats(0, 1), noisy=st.booleans())
def test_a_damaged_bag_gives_a_whole_dataset_or_none(
    whole: bytes, tmp_path: Path, share: float, noisy: bool
) -> None:
    folder, out = tmp_path / "bags", tmp_path / "out"
    for old in (folder, out, tmp_path / "out.partial"):
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir()
    cut = int(share * len(whole))
    tail = b"\xff" * min(200, len(whole) - cut) + whole[cut + 200 :] if noisy else b""
    (folder / "bad.bag").write_bytes(whole[:cut] + tail)
    report = convert(folder, task_named("weighing"), out)
    (row,) = report.rows
    assert "trace" not in row, row["trace"]
    assert not (tmp_path / "out.partial").exists()
    if report.out is None:
        assert row["reason"] and not out.exists()
    else:
        (episode,) = DatasetFiles(out).episodes()
        assert episode.length == len(episode.state) == row["length"]
        assert not check_dataset(out).errors
