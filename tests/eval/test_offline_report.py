"""What an offline evaluation leaves: document, tables, page, and the command that makes them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_eval.commands.offline import app
from kuavo_eval.folder import OFFLINE, EvaluationFolder, read_scores
from kuavo_eval.metrics.critical_intervals import Interval
from kuavo_eval.offline import OfflineScores, Options, Source, score
from kuavo_eval.offline.annotations import read_intervals, read_paraphrases
from kuavo_eval.offline.findings import findings
from kuavo_eval.offline.limits_of_loss import loss_limits
from kuavo_eval.offline.page import renderer
from kuavo_eval.offline.sources import parse_source
from kuavo_eval.offline.tables import episode_table, write_tables
from kuavo_train.checkpoint.manifest import Lineage, TaskRecord
from kuavo_train.tasks import load_tasks

from .known_policies import Holding, NotFinite, Obedient, Off, Oracle
from .page_numbers import check_page

TASKS = load_tasks()


@pytest.fixture(scope="module")
def recorded(recordings) -> Path:
    return recordings


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint) -> Path:
    return tiny_checkpoint


@pytest.fixture(scope="module")
def scores(recorded) -> OfflineScores:
    """Known policies on all tasks, everything on."""
    swapped = Obedient("swapped", {"weighing": "placement", "placement": "weighing"})
    policies = [Oracle(), Off(0.1, "deaf"), Holding("holding"), swapped, NotFinite("weighing")]
    options = Options(
        probe_frames=9,
        samples=3,
        paraphrases={"weighing": ("weigh it",)},
        parts=("error", "sampling", "language", "modalities"),
    )
    sources = [Source(name, recorded / name) for name in TASKS]
    return score(policies, sources, options, pictures=True)


@pytest.fixture(scope="module")
def folder(scores, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out") / "evaluation"
    with EvaluationFolder(out, OFFLINE) as folder:
        write_tables(scores, folder.path)
        folder.finish(scores.document(), renderer(scores))
    return out


@pytest.fixture(scope="module")
def document(folder) -> dict:
    return read_scores(folder, OFFLINE)


def of(document, label: str, task: str, path: str):
    found = document["checkpoints"][label]["tasks"][task]
    for key in path.split("."):
        found = found[key]
    return found["value"] if isinstance(found, dict) else found


def test_the_oracle_is_perfect_in_every_number(document):
    for task in TASKS:
        for path in (
            "error", "arms.mae", "arms.normalized", "hands.mae", "critical.arms", "stream.arms",
            "critical.warped_error", "hand_timing.lag", "hand_timing.chatter",
            "smoothness.sparc_change", "sampling.arms_spread",
        ):  # fmt: skip
            assert of(document, "oracle", task, path) == pytest.approx(0.0, abs=1e-9), path
        for path in ("skill.hold", "skill.mean_trajectory", "skill.nearest_demonstration"):
            assert of(document, "oracle", task, path) == 1.0
        for path in ("precision", "recall", "f1"):
            assert of(document, "oracle", task, f"hand_timing.{path}") == 1.0
        assert of(document, "oracle", task, "boundaries.jump") == pytest.approx(
            of(document, "oracle", task, "boundaries.recorded")
        )
    assert document["checkpoints"]["oracle"]["macro"]["error"]["value"] == 0.0


def test_holding_has_no_skill_against_holding(document):
    for task in TASKS:
        assert of(document, "holding", task, "skill.hold") == pytest.approx(0.0, abs=1e-9)
    texts = [f["text"] for f in document["findings"] if f["level"] == "bad"]
    assert "holding, all 4 tasks: no better than not moving" in texts


def test_language_of_the_deaf_and_of_the_one_who_swaps(document):
    assert document["chance"] == 0.25
    for task in TASKS:
        assert of(document, "deaf", task, "instruction.identified") == pytest.approx(0.25)
        assert of(document, "deaf", task, "instruction.sensitivity") == 0.0
        wrong = task in ("weighing", "placement")
        assert of(document, "swapped", task, "instruction.identified") == (0.0 if wrong else 1.0)
    assert of(document, "swapped", "sorting", "instruction.sensitivity") > 10
    told = document["checkpoints"]["swapped"]["tasks"]["weighing"]["instruction"]["told"]
    assert min(told, key=lambda name: told[name]["value"]) == "placement"
    assert set(
        document["checkpoints"]["deaf"]["tasks"]["weighing"]["instruction"]["paraphrases"]
    ) == {"0"}
    assert any("same under every instruction" in f["text"] for f in document["findings"])


def test_nothing_is_praised_on_a_handful_of_episodes(document):
    def praise(episodes: int) -> list[str]:
        tasks = {name: {**about, "episodes": episodes} for name, about in document["tasks"].items()}
        found = findings({**document, "tasks": tasks})
        return [f["text"] for f in found if f["level"] == "good" and "limit" not in f["text"]]

    heard = "oracle, all 4 tasks: its own instruction fits best more often than by chance"
    assert praise(3) == [] and heard not in praise(4)
    assert "oracle, all 4 tasks: better than not moving, than the mean" in "".join(praise(5))
    assert any("instruction fits best more often" in text for text in praise(5))


def test_a_policy_without_eyes_is_called_blind(document):
    assert of(document, "deaf", "weighing", "modalities.images_shuffled") == 1.0
    blind = "deaf, all 4 tasks: wrong images hardly change its error: it acts without looking"
    assert {"level": "bad", "text": blind} in document["findings"]


def test_a_void_task_has_no_number_and_no_average(document):
    nan = document["checkpoints"]["nan"]
    assert "not finite" in nan["tasks"]["weighing"]["void"]
    values = [q["value"] for q in nan["tasks"]["weighing"].values() if isinstance(q, dict)]
    assert values == [None, None], "error and loss, nothing else"
    assert nan["macro"]["error"]["value"] is None
    assert nan["tasks"]["sorting"]["error"]["value"] == 0.0
    assert document["findings"][0]["level"] == "bad"


def test_every_error_has_an_interval_over_episodes(document):
    error = document["checkpoints"]["deaf"]["tasks"]["sorting"]["error"]
    assert error["low"] <= error["value"] <= error["high"]
    assert (error["n"], error["of"], error["unit"]) == (3, "episodes", "fraction")


def test_tables_hold_what_the_scores_rest_on(folder, scores, document):
    table = pd.read_parquet(folder / "episodes.parquet")
    assert list(table.columns[:3]) == ["checkpoint", "task", "episode"]
    assert len(table) == 5 * 4 * 3
    rows = table[(table.checkpoint == "deaf") & (table.task == "sorting")]
    assert list(rows.episode) == scores.episodes("sorting")
    mean = rows.error_sum.sum() / rows.error_count.sum()
    assert mean == pytest.approx(of(document, "deaf", "sorting", "error"))
    void = table[(table.checkpoint == "nan") & (table.task == "weighing")]
    assert void.error_sum.isna().all() and void.loss_sum.isna().all()
    frames = pd.read_parquet(folder / "frames.parquet")
    one = frames[(frames.checkpoint == "deaf") & (frames.task == "sorting")]
    assert len(one) == 3 * 24
    np.testing.assert_allclose(one.predicted_base_x - one.recorded_base_x, 0.1, atol=1e-5)
    assert episode_table(scores).equals(episode_table(scores))


def test_the_page_shows_the_documents_numbers(folder):
    shown = check_page(folder)
    assert shown.plots >= 12
    sources = {source for source, *_ in shown.values}
    assert "checkpoints.oracle.tasks.weighing.error" in sources
    assert "checkpoints.nan.tasks.weighing.void" in sources


# the command


@pytest.fixture(scope="module")
def evaluated(recorded, checkpoint, tmp_path_factory) -> Path:
    """The command as a user types it, on two tasks."""
    out = tmp_path_factory.mktemp("command") / "evaluation"
    result = run(
        "--checkpoint", checkpoint, "--data", f"task2={recorded / 'weighing'}",
        "--data", f"sorting={recorded / 'sorting'}", "--out", out, "--every", 4,
        "--probe-frames", 4, "--samples", 2, "--loss-frames", 8, "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "task4_sorting/best" in result.output and "report.html" in result.output
    return out


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_leaves_scores_tables_and_a_page(evaluated, recorded):
    assert sorted(p.name for p in evaluated.iterdir()) == [
        "episodes.parquet", "frames.parquet", "report.html", "scores.json",
    ]  # fmt: skip
    document = read_scores(evaluated, OFFLINE)
    assert list(document["tasks"]) == ["weighing", "sorting"]
    about = document["provenance"]
    assert about["checkpoints"]["task4_sorting/best"]["stage"] == "1"
    assert len(about["episodes"]["weighing"]) == 3
    scored = document["checkpoints"]["task4_sorting/best"]["tasks"]["sorting"]
    assert scored["loss"]["value"] > 0 and scored["loss_limit"] == 0.5
    assert len(scored["horizon"]["arms"]) == 20
    assert check_page(evaluated).plots == 2 * (1 + 2)


def test_nothing_is_overwritten_and_it_is_said_before_the_work(evaluated, checkpoint, recorded):
    arguments = ["--checkpoint", checkpoint, "--data", f"2={recorded / 'weighing'}"]
    before = (evaluated / "scores.json").read_bytes()
    result = run(*arguments, "--out", evaluated)
    assert isinstance(result.exception, UserError) and "exists" in str(result.exception)
    assert (evaluated / "scores.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--checkpoint DIR, or --data"),
        (["--data", "2=/nowhere"], "nothing to score: --checkpoint"),
        (["--checkpoint", "/nowhere", "--task", "weighing"], "does not exist"),
        (["--checkpoint", "{c}", "--data", "baking={r}"], "unknown task 'baking'"),
        (["--checkpoint", "{c}", "--task", "baking"], "unknown task 'baking'"),
        (["--checkpoint", "{c}", "--data", "{r}/weighing"], "doesn't say which task"),
        (["--checkpoint", "{c}"], "--data moving_grasp=PATH"),
        (["--checkpoint", "{c}", "--data", "2={r}/weighing", "--task", "3"], "of placement"),
        (["--checkpoint", "{c}", "--data", "2={r}/weighing", "--parts", "speed"], "unknown parts"),
        (["--checkpoint", "{c}", "--data", "2={r}/weighing", "--robot-version", "7"], "version 7"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_left(
    arguments, said, checkpoint, recorded, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    filled = [a.replace("{c}", str(checkpoint)).replace("{r}", str(recorded)) for a in arguments]
    result = run(*filled)
    assert isinstance(result.exception, UserError), result.output
    assert said in str(result.exception)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_interrupted_run_leaves_nothing(checkpoint, recorded, tmp_path):
    """Ctrl-C in the middle: no folder, hidden or not, and a clean exit."""
    out = tmp_path / "eval" / "out"
    command = [sys.executable, "-m", "kuavo_cli.main", "eval", "offline", "--device", "cpu"]
    command += ["--checkpoint", str(checkpoint), "--data", f"2={recorded / 'weighing'}"]
    command += ["--parts", "sampling", "--probe-frames", "1", "--samples", "1000000"]
    command += ["--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("scoring:"):
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(60) == 130 and "interrupted" in rest
    assert list((tmp_path / "eval").iterdir()) == []


def test_intervals_are_seeded_edited_and_used(recorded, tmp_path):
    file = tmp_path / "eval" / "intervals.yaml"
    result = run("--data", f"2={recorded / 'weighing'}", "--write-intervals", file)
    assert result.exit_code == 0 and "3 episodes" in result.output
    content = yaml.safe_load(file.read_text())
    first = content["weighing"][0]
    assert first["intervals"][0]["label"].endswith("hand closes")
    again = run("--data", f"2={recorded / 'weighing'}", "--write-intervals", file)
    assert "exists" in str(again.exception)

    first["intervals"] = [{"start": 0.2, "end": 0.4, "label": "approach"}]
    file.write_text(yaml.safe_dump(content))
    found = read_intervals(file)
    assert found[first["sha256"]] == (Interval(0.2, 0.4, "approach"),)
    options = Options(parts=("error",), intervals=found)
    scores = score([Off(0.1)], [Source("2", recorded / "weighing")], options)
    counts = [e.critical.count for e in scores.results["off"]["weighing"].episodes]
    assert counts[0] == 3 and counts[1] > 3
    assert scores.document()["tasks"]["weighing"]["annotated"] == 3


BROKEN = (
    "weighing: 3",
    "- 1",
    "{",
    "weighing: [{intervals: []}]",
    "weighing: [{sha256: a, intervals: [{start: 2, end: 1}]}]",
    "weighing: [{sha256: a, intervals: [{start: x, end: 1}]}]",
)


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_intervals_file_is_an_error(text, tmp_path):
    file = tmp_path / "intervals.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=r"intervals\.yaml"):
        read_intervals(file)


def test_paraphrases_are_none_of_the_tasks_own_names():
    found = read_paraphrases(TASKS)
    assert set(found) == set(TASKS)
    for texts in found.values():
        assert len(set(texts)) == len(texts) >= 2
        for text in texts:
            with pytest.raises(ValueError, match="unknown task"):
                TASKS.named(text)


def test_limits_of_the_loss_are_those_of_the_checkpoints_stage(tmp_path):
    tasks = [TaskRecord(t.id, t.name, "", t.action_dim, "") for t in TASKS.values()]

    def limits(stage: str, count: int) -> dict[str, float]:
        return loss_limits(tmp_path, Lineage("", stage, 0, 0, tasks[:count], "", [], {}))

    assert limits("1", 1) == {"moving_grasp": 0.5}
    assert limits("2", 2) == {"moving_grasp": 0.7, "weighing": 0.5}
    assert list(limits("4", 4).values()) == [1.0, 1.0, 1.0, 0.5]
    assert set(limits("joint", 4).values()) == {0.5}
    own = {"sequential": {"limits": {"new_task": 0.3, "later": 2.0}}}
    (tmp_path / "training_config.yaml").write_text(yaml.safe_dump(own))
    assert limits("2", 2) == {"moving_grasp": 2.0, "weighing": 0.3}


def test_a_source_may_name_its_task_itself(tmp_path):
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/kuavo.json").write_text(json.dumps({"task_name": "sorting"}))
    assert parse_source(str(tmp_path), TASKS) == Source("sorting", tmp_path)
    assert parse_source("快递袋称重=/x", TASKS) == Source("weighing", Path("/x"))
