"""`kuavo eval plan`, `sim`, `replay` and `report`: what cannot be says what can."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_eval.commands import plan, replay, report, sim
from kuavo_eval.hardware.rubrics import rubrics_of


def refusal(app: typer.Typer, *arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(done.exception, UserError), (done.exception, done.output)
    return str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--task=juggling"], "unknown task 'juggling': choose from 1 moving_grasp"),
        (["--name=first try"], "letters, digits"),
        (["--checkpoint=x=elsewhere"], "two checkpoints are called 'x'"),
        ([], "is not a checkpoint of this project: no manifest.json"),
    ],
)
def test_a_plan_that_cannot_be_is_not_written(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    out = tmp_path / "eval"
    assert says in refusal(plan.app, f"--checkpoint=x={tmp_path}", f"--out={out}", *arguments)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give --checkpoint DIR"),
        (["--stand-in=hold", "--task=juggling"], "unknown task 'juggling'"),
        (["--stand-in=oracle"], "choose from expert, swapped"),
        (["--stand-in=hold", "--ros"], "--ros takes checkpoints only"),
        (["--checkpoint=x", "--ros", "--workers=3", "--videos=0"], "leave out --videos, --workers"),
        (["--checkpoint=nothing", "--ros"], "no checkpoint at"),
        (["--checkpoint=nothing"], "no checkpoint at"),
    ],
)
def test_a_simulated_run_that_cannot_be_leaves_nothing(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    out = tmp_path / "run"
    assert says in refusal(sim.app, f"--out={out}", *arguments)
    assert not out.exists()


def test_a_replay_needs_a_task_a_checkpoint_and_bags(tmp_path: Path) -> None:
    given = [tmp_path, f"--checkpoint={tmp_path}", f"--out={tmp_path / 'out'}"]
    assert "unknown task" in refusal(replay.app, *given, "--task=juggling")
    assert "is not a checkpoint" in refusal(replay.app, *given, "--task=weighing")
    assert not (tmp_path / "out").exists()


def test_a_folder_without_trials_has_no_report(tmp_path: Path) -> None:
    assert "no trials in" in refusal(report.app, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_start_positions_are_counted_or_named() -> None:
    assert plan.start_names("3") == ["1", "2", "3"]
    assert plan.start_names(" left, right ,") == ["left", "right"]


def test_stages_are_the_scene_s_or_a_file_s(tmp_path: Path) -> None:
    file = tmp_path / "rubrics.yaml"
    file.write_text("fold: [seen, folded]\nweighing: [all]\n", encoding="utf-8")
    assert rubrics_of(["weighing"])["weighing"][0] == "grasped"
    assert rubrics_of(["fold", "weighing"], file) == {
        "fold": ("seen", "folded"),
        "weighing": ("all",),
    }
    with pytest.raises(UserError, match="give --rubric FILE"):
        rubrics_of(["fold"])
    for wrong in ("fold: []", "fold: [a, a]", "- fold", "{"):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(UserError, match="rubrics.yaml"):
            rubrics_of(["fold"], file)
