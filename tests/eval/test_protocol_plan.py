"""The trial plan: balanced, drawn from its seed, locked, blinded."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from kuavo_cli.errors import UserError
from kuavo_eval.hardware.plan import key_of, read_plan, write_plan

from .protocol_rig import two_by_two


def test_every_checkpoint_meets_every_start_and_blocks_hold_each_once() -> None:
    plan = two_by_two(repeats=3)
    assert len(plan.trials) == 2 * 2 * 2 * 3
    cells = Counter((t.task, t.start, t.checkpoint) for t in plan.trials)
    assert set(cells.values()) == {3}
    blocks: dict[int, list] = {}
    for trial in plan.trials:
        blocks.setdefault(trial.block, []).append(trial)
    for block in blocks.values():
        assert sorted(t.checkpoint for t in block) == ["new", "old"]
        assert len({(t.task, t.start, t.trial, t.scene) for t in block}) == 1
    assert [t.block for t in plan.trials] == sorted(t.block for t in plan.trials)


def test_the_order_is_random_and_follows_from_the_seed() -> None:
    assert two_by_two(repeats=5) == two_by_two(repeats=5)
    orders = {tuple(t.checkpoint for t in two_by_two(repeats=5, seed=s).trials) for s in range(5)}
    assert len(orders) == 5
    firsts = Counter(t.checkpoint for t in two_by_two(repeats=20).trials[::2])
    assert min(firsts.values()) > 15, "neither is always first"


def test_what_is_written_is_read_and_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "eval" / "plan.yaml"
    write_plan(two_by_two(), file)
    assert read_plan(file) == two_by_two()
    before = file.read_bytes()
    with pytest.raises(UserError, match="not overwritten"):
        write_plan(two_by_two(seed=9), file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("blind", [False, True])
def test_any_change_after_the_lock_is_refused(tmp_path: Path, blind: bool) -> None:
    file = tmp_path / "plan.yaml"
    write_plan(two_by_two(blind=blind), file)
    content = yaml.safe_load(file.read_text())

    def tampered(change) -> None:
        copy = yaml.safe_load(file.read_text())
        change(copy)
        other = tmp_path / "tampered.yaml"
        other.write_text(yaml.safe_dump(copy))
        with pytest.raises(UserError, match="changed after it was locked"):
            read_plan(other)

    tampered(lambda c: c["trials"].pop())
    tampered(lambda c: c["trials"].reverse())
    tampered(
        lambda c: c["trials"][0].update(
            checkpoint="old" if c["trials"][0]["checkpoint"] != "old" else "new"
        )
    )
    tampered(lambda c: c["time_limits"].update(weighing=500.0))
    tampered(lambda c: c["rubrics"]["weighing"].pop())
    tampered(lambda c: c.update(seed=99))
    tampered(lambda c: c.pop("lock"))
    assert content["lock"] == two_by_two(blind=blind).sha256


def test_a_blinded_plan_hides_which_is_which_and_its_key_is_bound_to_it(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    plan = two_by_two(blind=True)
    write_plan(plan, file)
    text = file.read_text()
    assert "/old" not in text and "/new" not in text and "1" * 64 not in text
    assert plan.labels == ["A", "B"]
    assert read_plan(file).checkpoints == plan.checkpoints
    letters = {two_by_two(blind=True, seed=s).checkpoints["A"].path for s in range(12)}
    assert letters == {"/old", "/new"}, "A is not always the first"

    key = key_of(file)
    key.write_text(key.read_text().replace("/old", "/other"))
    with pytest.raises(UserError, match="not the key"):
        read_plan(file)
    key.unlink()
    with pytest.raises(UserError, match="does not exist"):
        read_plan(file)


@pytest.mark.parametrize("text", ["", "- 1\n", "format: other\n", "{", "\0\1"])
def test_what_is_no_plan_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UserError, match="x.yaml"):
        read_plan(tmp_path / "x.yaml")


def test_an_empty_plan_and_doubled_starts_are_refused() -> None:
    for wrong in ({"starts": []}, {"checkpoints": {}}, {"rubrics": {}}, {"repeats": 0}):
        with pytest.raises(UserError, match="needs a checkpoint"):
            two_by_two(**wrong)
    with pytest.raises(UserError, match="named twice"):
        two_by_two(starts=["a", "a"])
