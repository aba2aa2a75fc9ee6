"""The log of trials: nothing is lost, nothing damaged is read, no verdict is replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kuavo_cli.errors import UserError
from kuavo_eval.trials import (
    Latency,
    SafetyEvent,
    Switch,
    Trial,
    TrialError,
    TrialLog,
    read_trials,
    scored,
)
from kuavo_eval.trials.log import FILE
from kuavo_eval.trials.table import write_table

from .trial_examples import trial

FULL = trial(
    3, success=True, latency=Latency(0.21, 0.4, 31), switch=Switch("moving_grasp", 3.0, 3.4),
    safety=(SafetyEvent(4.2, "hold", "the plan ran out"),), bag="bags/3.bag", note="落袋",
)  # fmt: skip


def test_what_was_written_is_read(tmp_path: Path) -> None:
    wanted = [trial(0), FULL, trial(1, void="the policy died")]
    with TrialLog(tmp_path) as log:
        for one in wanted:
            log.append(one)
        assert log.trials == wanted
    assert read_trials(tmp_path) == wanted
    with TrialLog(tmp_path) as log:
        assert log.trials == wanted


def test_a_log_torn_at_any_byte_keeps_all_whole_lines_and_goes_on(tmp_path: Path) -> None:
    with TrialLog(tmp_path) as log:
        log.append(trial(0))
        log.append(FULL)
    whole = (tmp_path / FILE).read_bytes()
    first = whole.index(b"\n") + 1
    for size in range(0, len(whole) + 1, 5):
        (tmp_path / FILE).write_bytes(whole[:size])
        kept = whole[:size].count(b"\n")
        assert len(read_trials(tmp_path)) == kept
        if size % 35 == 0:
            with TrialLog(tmp_path) as log:
                log.append(trial(9))
            assert read_trials(tmp_path) == [trial(0), FULL][:kept] + [trial(9)]
    assert first < len(whole)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"nonsense\n", "line 2 is damaged"),
        (b"[1]\n", "not a trial"),
        (b'{"schema": 99}\n', "schema 99"),
        (b'{"schema": 1, "task": "weighing"}\n', "line 2 is damaged"),
    ],
)
def test_a_damaged_line_is_named_not_skipped(tmp_path: Path, line: bytes, says: str) -> None:
    with TrialLog(tmp_path) as log:
        log.append(trial(0))
        log.append(trial(1))
    lines = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / FILE).write_bytes(lines[0] + line + lines[1])
    with pytest.raises(UserError, match=says):
        read_trials(tmp_path)
    with pytest.raises(UserError, match="line 2"), TrialLog(tmp_path):
        pass
    assert (tmp_path / FILE).read_bytes() == lines[0] + line + lines[1]


def test_a_folder_without_trials_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no trials.*trials\.jsonl"):
        read_trials(tmp_path)


def test_two_processes_do_not_share_a_log(tmp_path: Path) -> None:
    with TrialLog(tmp_path), pytest.raises(UserError, match="another process"):
        TrialLog(tmp_path).__enter__()
    with TrialLog(tmp_path):
        pass


WRITER = """
import sys
from pathlib import Path
from kuavo_eval.trials import TrialLog
sys.path.insert(0, sys.argv[2])
from trial_examples import trial
with TrialLog(Path(sys.argv[1])) as log:
    number = 0
    while True:
        log.append(trial(number))
        print(number, flush=True)
        number += 1
"""


def test_what_was_reported_as_written_survives_kill_9(tmp_path: Path, root: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), str(root / "tests" / "eval")],
        stdout=subprocess.PIPE, cwd=root,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    told = process.stdout.read().split()
    process.wait()
    written = read_trials(tmp_path)
    assert len(written) >= len(told)
    assert [t.seed for t in written] == list(range(len(written)))


def test_the_first_verdict_counts_and_voids_do_not() -> None:
    tries = [
        trial(0, void="a node died"),
        trial(0, attempt=2),
        trial(0, attempt=3, success=True),
        trial(0, checkpoint="other", success=True),
        trial(1, void="a node died"),
    ]
    assert scored(tries) == [tries[1], tries[3]]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"success": None}, "not both"),
        ({"void": "a reason", "success": False}, "not both"),
        ({"void": "  ", "success": None}, "needs a reason"),
        ({"stages": {"lifted": 1.0}}, "no stage 'lifted'.*grasped, on_scale"),
        ({"stages": {"on_scale": 1.0}}, "in order"),
        ({"duration": float("nan")}, "finite"),
        ({"stages": {"grasped": -1.0}}, "not negative"),
        ({"success": True, "stages": {"grasped": 1.0}}, "every stage"),
        ({"success": True, "did": "moving_grasp"}, "own task"),
        ({"source": "dream"}, "choose from simulation, ros, robot"),
    ],
)
def test_a_trial_that_contradicts_itself_is_refused(changes: dict, says: str) -> None:
    with pytest.raises(TrialError, match=says):
        trial(0, **changes)


def test_derived_facts() -> None:
    assert FULL.stage == "in_bin" and trial(0, stages={}).stage == "start"
    assert trial(0, did="moving_grasp").wrong_task and not FULL.wrong_task
    assert Trial.from_dict(FULL.as_dict()) == FULL
    with pytest.raises(TrialError, match="colour"):
        Trial.from_dict({**FULL.as_dict(), "colour": "red"})


def test_the_table_has_a_row_per_attempt_and_types_even_without_values(tmp_path: Path) -> None:
    table = pq.read_table(write_table([trial(0), replace(FULL, latency=None)], tmp_path))
    assert table.num_rows == 2
    rows = table.to_pylist()
    assert rows[1]["success"] is True and rows[1]["stage"] == "in_bin"
    assert rows[1]["note"] == "落袋" and rows[1]["safety_events"] == 1
    assert str(table.schema.field("latency_median_s").type) == "double"
