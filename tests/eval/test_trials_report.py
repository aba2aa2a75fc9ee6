"""What trials leave to read: known rates, voids apart, one page with the numbers of the JSON."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_eval.commands.report import app
from kuavo_eval.folder import read_scores
from kuavo_eval.hardware.plan import write_plan
from kuavo_eval.hardware.results import write_plan_results
from kuavo_eval.hardware.session import PLAN_COPY
from kuavo_eval.trials import Aim, Latency, SafetyEvent, Switch, TrialLog
from kuavo_eval.trials.results import write_results

from .page_numbers import check_page
from .protocol_rig import RUBRICS, Rig, two_by_two
from .trial_examples import trial


def test_every_figure_of_a_folder_of_trials(tmp_path: Path) -> None:
    lag = SafetyEvent(2.0, "fault", "r_arm_4 does not follow: 0.56 rad from its command")
    lag_again = SafetyEvent(3.0, "fault", "r_arm_4 does not follow: 0.48 rad from its command")
    elbow = SafetyEvent(4.0, "fault", "r_arm_5 does not follow: 0.48 rad from its command")
    trials = [
        trial(0, success=True, latency=Latency(0.2, 0.4, 9), aim=Aim(1.8, 0.01, -0.012)),
        trial(
            1,
            latency=Latency(0.4, 0.9, 9),
            safety=(lag, elbow),
            failure=lag.text,
            aim=Aim(2.2, 0.01, 0.03),
        ),
        trial(2, did="moving_grasp", failure="did moving_grasp", safety=(lag_again,)),
        trial(3, void="the lamp went out"),
        trial(3, attempt=2, success=True, switch=Switch("moving_grasp", 3.0, 3.5), note="落袋"),
        trial(0, checkpoint="other", success=True, interventions=1),
    ]
    document = write_results(tmp_path, trials, {}, {})
    best = document["checkpoints"]["best"]["tasks"]["weighing"]
    assert (best["success"]["successes"], best["trials"], best["voids"]) == (2, 4, 1)
    assert best["success"]["low"] == pytest.approx(0.150, abs=0.001), "Wilson"
    assert best["wrong_task"]["successes"] == 1
    assert best["did_instead"] == [{"what": "moving_grasp", "count": 1}]
    reached = [stage["reached"]["successes"] for stage in best["stages"]]
    assert reached == [4, 2, 2, 2, 2]
    assert best["latency"]["value"] == pytest.approx(0.3) and best["latency_p99"]["value"] == 0.9
    assert best["aside"]["value"] == pytest.approx(2.1) and best["aside"]["unit"] == "cm"
    assert best["closes"]["value"] == pytest.approx(2.0)
    assert best["resumed"]["value"] == pytest.approx(0.5) and best["switched"] == 1
    # the number in a reason differs from trial to trial, the joint's name does not
    assert [(event["what"], event["count"]) for event in best["safety"]] == [
        ("fault: r_arm_4 does not follow: … rad from its command", 2),
        ("fault: r_arm_5 does not follow: … rad from its command", 1),
    ]
    assert document["answer"] == (
        "best succeeded in 2 of 4 trials of weighing; other succeeded in 1 of 1 trials of "
        "weighing. 1 void attempt does not count."
    )
    assert pq.read_table(tmp_path / "trials.parquet").num_rows == 6
    check_page(tmp_path)


def test_a_blinded_plan_s_report_names_no_checkpoint_and_says_how_much_is_done(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "out"
    write_plan(two_by_two(blind=True), folder / PLAN_COPY)
    rig = Rig(
        folder, two_by_two(blind=True), interrupt_at=112.0,
        scene=lambda since, task: {task: {
            "stages": dict.fromkeys(RUBRICS[task], 1.0), "success": True, "failure": None,
        }} if since > 3 else {},
    )  # fmt: skip
    assert rig.run(source="ros") is False
    done = CliRunner().invoke(app, [str(folder)])
    assert done.exit_code == 0, done.output
    document = read_scores(folder)
    assert set(document["checkpoints"]) <= {"A", "B"} and "/old" not in str(document)
    told = {one["what"]: one["value"] for one in document["conditions"]}
    assert told["checkpoints"] == "blinded" and told["trials planned"] == 8
    assert 0 < told["trials with a verdict"] < 8
    assert "/old" not in (folder / "report.html").read_text()

    with TrialLog(folder) as log:
        log.append(trial(0, plan="f" * 64))
        with pytest.raises(UserError, match="of another plan"):
            write_plan_results(folder, log.trials, ["kuavo"])
