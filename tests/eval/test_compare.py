"""`kuavo eval compare`: a sentence to act on, pairs where there are pairs, no score of nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_eval.commands.compare import app
from kuavo_eval.comparison import Options, compare
from kuavo_eval.comparison.page import render
from kuavo_eval.comparison.recordings import sign_flip
from kuavo_eval.comparison.sides import open_sides
from kuavo_eval.folder import SCHEMA, SCORES, EvaluationFolder, read_scores
from kuavo_eval.statistics import evidence_paired, pairs_needed, trials_per_arm
from tests.eval.made_trials import folder_of, trial, won
from tests.eval.page_numbers import check_page


def compared(a: Path, b: Path, **options: Any) -> dict[str, Any]:
    labels = [options.pop(name, None) for name in ("label_a", "label_b")]
    return compare(*open_sides(a, b, *labels), Options(**options))[0]


def test_the_sentence(tmp_path: Path) -> None:
    """Unpaired: other seeds. 18/20 against 11/20 in one of two tasks."""
    a = folder_of(tmp_path / "a", {"weighing": won(18, 20), "sorting": won(12, 20)})
    b = folder_of(tmp_path / "b", {"weighing": won(11, 20), "sorting": won(8, 20)}, "B", 5000)
    document = compared(a, b)
    p = stats.boschloo_exact([[18, 11], [2, 9]]).pvalue
    more = trials_per_arm(0.6, 0.4) - 20
    assert document["tasks"]["weighing"]["p_holm"] == pytest.approx(2 * p)
    assert document["verdict"]["text"] == (
        f"A is better at weighing: 18/20 against 11/20, p = {2 * p:.3f} after Holm; "
        f"no decision on sorting: {more} more trials of each for 80\u00a0% power."
    )
    assert document["verdict"]["level"] == "good"


def test_the_others_share_one_clause(tmp_path: Path) -> None:
    tasks = {
        "weighing": (20, 5),
        "sorting": (12, 8),
        "placement": (12, 9),
        "moving_grasp": (10, 10),
    }
    a = folder_of(tmp_path / "a", {t: won(x, 20) for t, (x, _) in tasks.items()})
    b = folder_of(tmp_path / "b", {t: won(y, 20) for t, (_, y) in tasks.items()}, "B", 5000)
    text = compared(a, b)["verdict"]["text"]
    assert "no decision on sorting, placement: " in text and " to " in text
    assert text.endswith("; no difference worth more trials at moving_grasp.")


def test_shared_seeds_are_paired(tmp_path: Path) -> None:
    """A wins 7 pairs, B none: 2 · 2^-7 = 0.0156; unpaired, 15/20 against 8/20 would be 0.03."""
    a = folder_of(tmp_path / "a", {"weighing": won(15, 20)})
    b = folder_of(tmp_path / "b", {"weighing": won(8, 20)}, "B")
    row = compared(a, b)["tasks"]["weighing"]
    assert row["paired"] and row["test"] == "exact McNemar" and row["difference"]["n"] == 20
    assert row["p"] == pytest.approx(2 * 0.5**7) and (row["only_a"], row["only_b"]) == (7, 0)
    assert row["decision"] == "A"


def test_pairs_lacking(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", {"weighing": won(12, 20)})
    b = folder_of(tmp_path / "b", {"weighing": won(9, 20)}, "B")
    row = compared(a, b)["tasks"]["weighing"]
    assert row["decision"] == "open" and row["more"] == pairs_needed(3 / 20, 0) - 20


def test_b_can_be_better(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", {"weighing": won(3, 20)})
    b = folder_of(tmp_path / "b", {"weighing": won(17, 20)}, "B")
    document = compared(a, b)
    assert document["verdict"]["text"].startswith("B is better at weighing: 17/20 against 3/20")
    assert document["verdict"]["level"] == "bad"


def test_void_trials_do_not_count_and_break_their_pair(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", {"weighing": [None, *won(10, 11)]})
    b = folder_of(tmp_path / "b", {"weighing": won(5, 12)}, "B")
    row = compared(a, b)["tasks"]["weighing"]
    assert row["a"]["trials"] == row["b"]["trials"] == 11 and row["void"] == {"a": 1, "b": 0}
    assert row["left_out"] == 1


def test_a_few_shared_seeds_do_not_throw_the_others_away(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", {"weighing": won(10, 20)})
    b = folder_of(tmp_path / "b", {"weighing": won(10, 20)}, "B", first_seed=1015)
    row = compared(a, b)["tasks"]["weighing"]
    assert not row["paired"] and row["a"]["trials"] == 20 and row["left_out"] == 0


def test_another_start_is_no_pair(tmp_path: Path) -> None:
    from dataclasses import replace

    from kuavo_eval.trials import TrialLog

    a = folder_of(tmp_path / "a", {"weighing": won(3, 4)})
    (tmp_path / "b").mkdir()
    with TrialLog(tmp_path / "b") as log:
        for i in range(4):
            log.append(replace(trial("weighing", 1000 + i, True, "B"), start="left"))
    assert not compared(a, tmp_path / "b")["tasks"]["weighing"]["paired"]


def test_sequential_uses_the_e_process(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", {"weighing": won(12, 12), "sorting": won(3, 12)})
    b = folder_of(tmp_path / "b", {"weighing": won(2, 12), "sorting": won(2, 12)}, "B")
    document = compared(a, b, sequential=True)
    row = document["tasks"]["weighing"]
    expected = evidence_paired(won(12, 12), won(2, 12))
    assert row["p"] == expected.p_anytime and row["evidence"]["decided_after"] == 10
    assert row["decision"] == "A" and row["difference"]["low"] is None
    assert "no decision on sorting yet: go on" in document["verdict"]["text"]


def test_one_folder_with_two_blinded_checkpoints(tmp_path: Path) -> None:
    folder_of(tmp_path / "t", {"weighing": won(9, 10)}, "A")
    folder_of(tmp_path / "t", {"weighing": won(2, 10)}, "B")
    document = compared(tmp_path / "t", tmp_path / "t")
    assert document["sides"]["a"]["label"] == "A" and document["tasks"]["weighing"]["paired"]
    flipped = compared(tmp_path / "t", tmp_path / "t", label_a="B", label_b="A")
    assert flipped["tasks"]["weighing"]["a"]["successes"] == 2


def test_one_checkpoint_in_simulation_and_through_the_nodes_is_paired(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", {"weighing": won(9, 10)}, "A")
    b = folder_of(tmp_path / "b", {"weighing": won(2, 10)}, "A", source="ros")
    document = compared(a, b)
    assert document["tasks"]["weighing"]["paired"] and document["verdict"]["level"] == "good"
    assert "A in simulation, B on the simulated robot" in render(document)


def test_what_cannot_be_compared_is_said_so(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", {"weighing": won(1, 2)})
    folder_of(a, {"weighing": won(1, 2)}, "B")
    other = folder_of(tmp_path / "b", {"sorting": won(1, 2)}, "B")
    robot = folder_of(tmp_path / "r", {"sorting": won(1, 2)}, "A", source="robot")
    nodes = folder_of(tmp_path / "n", {"sorting": won(1, 2)}, "A", source="ros")
    for left, right, labels, match in (
        (a, other, {}, "2 checkpoints: choose with --a from A, B"),
        (a, other, {"label_a": "C"}, "no checkpoint 'C': choose with --a from A, B"),
        (a, other, {"label_a": "A"}, "no task in common"),
        (other, other, {}, "nothing to compare"),
        (other, robot, {}, "from simulation, those of .* from robot"),
        (other, nodes, {}, "from simulation, those of .* from ros"),
        (other, tmp_path / "absent", {}, "is no evaluation"),
    ):
        with pytest.raises(UserError, match=match):
            compared(left, right, **labels)


def offline(folder: Path, label: str, errors: dict[str, np.ndarray], frames: int = 50) -> Path:
    """An offline evaluation with these mean errors per episode."""
    rows = [
        {"checkpoint": label, "task": task, "episode": f"{task}{i:02d}", "error_sum": e * frames,
         "error_count": frames, "loss_sum": None, "loss_count": None}
        for task, values in errors.items() for i, e in enumerate(values)
    ]  # fmt: skip
    with EvaluationFolder(folder, "offline") as out:
        pd.DataFrame(rows).to_parquet(out.path / "episodes.parquet")
        out.finish({"provenance": {"checkpoints": {label: {"sha256": "c" * 64}}}})
    return folder


def test_recordings_are_compared_episode_by_episode(tmp_path: Path) -> None:
    hard = np.linspace(0.02, 0.3, 10)  # episodes differ a lot, checkpoints a little
    a = offline(tmp_path / "a", "A", {"weighing": hard, "sorting": hard})
    b = offline(tmp_path / "b", "B", {"weighing": hard + 0.01, "sorting": hard[::-1]})
    document = compared(a, b)
    row = document["tasks"]["weighing"]
    assert row["difference"]["value"] == pytest.approx(-0.01) and row["better_in"]["a"] == 10
    assert row["p"] == pytest.approx(2 / 2**10)
    assert row["decision"] == "A" and row["difference"]["high"] < 0
    assert document["verdict"]["text"].startswith(
        "A is better at weighing: normalized error 16\u00a0% against 17\u00a0%, p = 0.0039"
    )


def test_sign_flips_by_hand() -> None:
    assert sign_flip(np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / 8)
    assert sign_flip(np.array([0.0, 0.0])) == 1 and sign_flip(np.array([5.0])) == 1


def test_trials_and_recordings_do_not_mix(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", {"weighing": won(1, 2)})
    b = offline(tmp_path / "b", "B", {"weighing": np.ones(3)})
    with pytest.raises(UserError, match="compare like with like"):
        compared(a, b)
    with pytest.raises(UserError, match="--sequential is for trials"):
        compared(b, offline(tmp_path / "c", "C", {"weighing": np.ones(3)}), sequential=True)


def test_a_checkpoint_without_scores_is_no_loser(tmp_path: Path) -> None:
    """NaN predictions void a task: it is left out, by name."""
    a = offline(tmp_path / "a", "A", {"weighing": np.ones(6), "sorting": np.full(6, np.nan)})
    b = offline(tmp_path / "b", "B", {"weighing": np.ones(6) * 2, "sorting": np.ones(6)})
    document = compared(a, b)
    assert list(document["tasks"]) == ["weighing"] and "sorting" in document["not_compared"]


def test_the_command_and_its_page(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", {"weighing": won(18, 20), "sorting": won(12, 20)})
    b = folder_of(tmp_path / "b", {"weighing": won(9, 20), "sorting": won(10, 20)}, "B")
    out = tmp_path / "out"
    done = CliRunner().invoke(app, [str(a), str(b), "--out", str(out)])
    assert done.exit_code == 0, done.output
    scores = read_scores(out, "comparison")
    assert done.output.splitlines()[0] == scores["verdict"]["text"]
    assert len(pd.read_parquet(out / "comparison.parquet")) == 80
    shown = check_page(out)
    assert {"verdict.text", "tasks.weighing.p_holm", "tasks.sorting.more"} <= {
        source for source, *_ in shown.values
    }
    again = CliRunner().invoke(app, [str(a), str(b), "--out", str(out)])
    assert isinstance(again.exception, UserError) and "exists" in str(again.exception)


def test_different_conditions_are_said_not_passed_over(tmp_path: Path) -> None:
    """Another time limit is said, a latency that was measured a little differently is not."""
    limits: dict[str, Any] = {"a": "the scene's", "b": {"value": 20.0, "unit": "s"}}
    for name, latency in (("a", 0.131), ("b", 0.135)):
        folder = folder_of(tmp_path / name, {"weighing": won(6, 8)}, name)
        latencies = {"what": f"latency of inference, {name}", "value": s(latency)}
        same = {"what": "how chunks continue each other", "value": "rtc"}
        scenes = {"what": "scenes", "value": f"seeds {name}"}
        limit = {"what": "time limit of a trial", "value": limits[name]}
        document = {"kind": "trials", "schema": SCHEMA, "conditions": [latencies, same, scenes]}
        document["conditions"].append(limit)
        (folder / SCORES).write_text(json.dumps(document))
    out = tmp_path / "out"
    done = CliRunner().invoke(app, [str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert read_scores(out)["different_conditions"] == [
        {"what": "time limit of a trial", **limits}
    ]
    assert "time limit of a trial differs: the scene's and 20.0" in done.output
    check_page(out)
    assert "Not only the checkpoint differs" in (out / "report.html").read_text()


def s(value: float) -> dict[str, Any]:
    return {"value": value, "unit": "s"}


def test_a_mistyped_option_is_a_usage_error(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", {"weighing": won(1, 2)})
    done = CliRunner().invoke(app, [str(a), str(a), "--alpha", "5"])
    assert isinstance(done.exception, UserError) and done.exception.exit_code == 2
    document = tmp_path / "x.json"
    b = folder_of(tmp_path / "b", {"weighing": won(2, 2)}, "B")
    assert CliRunner().invoke(app, [str(a), str(b), "--json", str(document)]).exit_code == 0
    assert json.loads(document.read_text())["tasks"]["weighing"]["paired"] is True
