"""The hardware protocol: every way a trial can end, and what is written down about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kuavo_cli.errors import UserError
from kuavo_deploy.safety.checks import PlanRefused, RawPlan, check_plan, check_reach
from kuavo_deploy.safety.limits import SoftLimits
from kuavo_deploy.safety.tracking import TrackingMonitor
from kuavo_eval.hardware.operator import NotUnderstood, Said, understood
from kuavo_eval.simulation import SimulationSettings
from kuavo_eval.simulation.candidates import Candidate
from kuavo_eval.simulation.trial import TrialJob
from kuavo_eval.trials import TrialLog, scored
from kuavo_eval.trials.faults import is_policy_fault

from .protocol_rig import RUBRICS, Rig, two_by_two
from .trial_examples import trial

ONE = {"starts": ["left"], "rubrics": {"weighing": RUBRICS["weighing"]}}


def one_trial(tmp_path: Path, **changes: object) -> Rig:
    """A plan of one trial."""
    checkpoint = {"new": two_by_two().checkpoints["new"]}
    return Rig(tmp_path, two_by_two(checkpoints=checkpoint, **ONE), **changes)  # type: ignore[arg-type]


def says(**answers: str):
    """An operator who answers to a word in what is told."""

    def answer(rig: Rig, told: str) -> str | None:
        return next((line for word, line in answers.items() if word in told), None)

    return answer


def scene_success(since: float, task: str) -> dict:
    if since < 4:
        return {}
    stages = {stage: float(i) for i, stage in enumerate(RUBRICS[task])}
    return {task: {"stages": stages, "success": True, "failure": None}}


def test_a_plan_runs_in_its_order_each_trial_written_down_and_the_robot_stopped_after_each(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path, scene=scene_success)
    assert rig.run(source="ros") is True
    assert [(t.trial, t.checkpoint) for t in rig.trials] == [
        (planned.trial, planned.checkpoint) for planned in rig.plan.trials
    ]
    assert all(t.success and t.did == t.task and t.plan == rig.plan.sha256 for t in rig.trials)
    assert all(t.instruction == f"do {t.task}" and t.source == "ros" for t in rig.trials)
    # the names that simulated trials of the same scenes have: `kuavo eval compare` pairs them
    jobs = {TrialJob(Candidate(p.checkpoint, None), p.task, p.scene, SimulationSettings(), 0.0)
            for p in rig.plan.trials}  # fmt: skip
    assert {(t.trial, t.seed) for t in rig.trials} == {(job.trial, job.seed) for job in jobs}
    assert all(t.start == f"seed {t.seed}" for t in rig.trials)
    assert not rig.moving
    kinds = [call.split()[0] for call in rig.calls]
    for i, kind in enumerate(kinds):
        if kind == "begin":
            assert "stop" in kinds[i + 1 : i + 2]
    first = rig.trials[0]
    assert first.latency is not None and first.latency.median == 0.2
    assert first.checkpoint_sha256 == rig.plan.checkpoints[first.checkpoint].weights_sha256
    assert first.bag == rig.calls[1].split()[1]


def test_the_operator_arranges_marks_stages_and_judges(tmp_path: Path) -> None:
    def operator(rig: Rig, told: str) -> str | None:
        return "go" if "arrange" in told else None

    rig = one_trial(tmp_path, says=operator)
    lines = {3.0: "stage grasped", 5.0: "intervention", 6.0: "note slipped once", 9.0: "success"}

    def states(since: float) -> tuple[str, str]:
        for at in [at for at in list(lines) if at <= since]:
            rig.queue.append(lines.pop(at))
        return "run", "executing"

    rig.states = states
    assert rig.run()
    (done,) = rig.trials
    assert done.success and done.interventions == 1 and done.note == "slipped once"
    assert done.start == "left" and done.seed is None
    acts = next(i for i, told in enumerate(rig.told) if "the robot acts, 20 s" in told)
    assert "made ready" in rig.told[acts - 1], "a person is told what happens"
    assert done.stages["grasped"] == pytest.approx(3.0, abs=0.3)
    assert done.stages["weighed"] is None, "nobody noted when"
    assert done.duration == pytest.approx(9.0, abs=0.3)


def test_time_up_stops_the_robot_before_the_operator_is_asked(tmp_path: Path) -> None:
    def operator(rig: Rig, told: str) -> str | None:
        if "arrange" in told:
            return "go"
        if "furthest stage" in told:
            assert not rig.moving, "it stands while a person thinks"
            return "stage on_scale\ndid sorting\nfail too slow"
        return None

    rig = one_trial(tmp_path, says=operator)
    assert rig.run()
    (done,) = rig.trials
    assert done.success is False and done.failure == "too slow" and done.stage == "on_scale"
    assert done.wrong_task and done.did == "sorting", "which is not in the plan"
    assert done.duration == pytest.approx(20.0, abs=0.3)
    assert done.stages == {"grasped": None, "on_scale": None}


@pytest.mark.parametrize(
    ("last_word", "success", "void"),
    [("success", True, None), ("fail", False, None), ("void wrong parcel", None, "wrong parcel")],
)
def test_after_the_time_the_last_word_is_the_operator_s(
    tmp_path: Path, last_word: str, success: bool | None, void: str | None
) -> None:
    answers = [last_word, "success"]  # a void trial is repeated

    def operator(rig: Rig, told: str) -> str | None:
        if "arrange" in told:
            return "go"
        return answers.pop(0) if "furthest stage" in told else None

    rig = one_trial(tmp_path, says=operator)
    assert rig.run()
    assert (rig.trials[0].success, rig.trials[0].void) == (success, void)
    assert len(rig.trials) == (2 if void else 1)
    if success is False:
        assert rig.trials[0].failure == "time limit"


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        (lambda t: ("fault", "held for 10.0 s: no fresh plan"), "held for"),
        (lambda t: ("fault", "a plan's positions are not finite at [3, 4]"), "not finite"),
        (lambda t: ("fault", "/kuavo_arm_traj is also published by /x"), "also published"),
        (lambda t: ("ready", "waiting for a plan"), "no plan was executed: ready"),
        (lambda t: ("run", "") if t < 2 else ("disabled", "stopped by x"), "was disabled"),
        (lambda t: ("run", "") if t < 2 else ("fault", "/sensors_data_raw is 1 s old"), "1 s old"),
    ],
)
def test_what_the_machinery_does_is_void_and_repeated_and_three_in_a_row_end_it(
    tmp_path: Path, states, reason: str
) -> None:
    rig = one_trial(tmp_path, states=states, scene=lambda since, task: {})
    with pytest.raises(UserError, match="3 void attempts in a row"):
        rig.run()
    assert [t.attempt for t in rig.trials] == [1, 2, 3]
    assert all(reason in (t.void or "") and t.success is None for t in rig.trials)
    assert not rig.moving and rig.calls[-1] == "stop"


def test_a_dead_node_is_void_even_if_the_task_succeeded_meanwhile(tmp_path: Path) -> None:
    rig = one_trial(
        tmp_path, scene=scene_success, dead=lambda t: "the policy's process died" if t > 3 else None
    )
    with pytest.raises(UserError, match="process died"):
        rig.run()
    assert not scored(rig.trials)


def test_a_policy_that_cannot_be_loaded_is_void(tmp_path: Path) -> None:
    rig = one_trial(tmp_path, refuses="the policy does not start", scene=scene_success)
    with pytest.raises(UserError, match="does not start"):
        rig.run()
    assert "begin" not in " ".join(rig.calls)


@pytest.mark.parametrize(
    "reason",
    [
        "r_arm_4 does not follow: 0.56 rad from its command",
        "a plan is 0.90 rad outside the arms' limits: l_arm_1 2.45 rad at step 3. Degrees, another "
        "robot, or a policy that has lost its way?",
    ],
)
def test_a_stop_that_the_policy_caused_is_a_failure(tmp_path: Path, reason: str) -> None:
    rig = one_trial(
        tmp_path, states=lambda t: ("run", "") if t < 2 else ("fault", reason),
        scene=lambda since, task: {task: {"stages": {"grasped": 1.0}, "success": False,
                                          "failure": None}},
    )  # fmt: skip
    assert rig.run()
    (done,) = rig.trials
    assert done.success is False and done.failure == reason and done.stage == "grasped"
    assert [(event.kind, event.text) for event in done.safety] == [("fault", reason)]


def test_the_reasons_are_those_that_the_executor_really_gives() -> None:
    import numpy as np

    from tests.deploy.world import LIMITS

    far = RawPlan("s:1", 1.0, _names(), [0.1], np.full((1, 16), 9.0))
    with pytest.raises(PlanRefused) as refused:
        check_reach(check_plan(far), SoftLimits(LIMITS, 0.02), 0.6)
    assert is_policy_fault(str(refused.value))
    stray = TrackingMonitor(0.4, 0.0).check(np.zeros(14), np.full(14, 0.5), 1.0)
    assert stray is not None and is_policy_fault(stray)
    nan = RawPlan("s:1", 1.0, _names(), [0.1], np.full((1, 16), np.nan))
    with pytest.raises(PlanRefused) as refused:
        check_plan(nan)
    assert not is_policy_fault(str(refused.value))


def _names() -> tuple[str, ...]:
    from kuavo_deploy.robot import layout

    return layout.action_names(16)


def test_another_task_done_instead_ends_the_trial_and_is_recorded(tmp_path: Path) -> None:
    other = {"moving_grasp": {"stages": {}, "success": True, "failure": None}}
    rig = one_trial(tmp_path, scene=lambda since, task: other if since > 3 else {})
    rig.plan = two_by_two(
        checkpoints={"new": rig.plan.checkpoints["new"]}, starts=["left"],
        rubrics={"weighing": RUBRICS["weighing"]},
    )  # fmt: skip
    assert rig.run()
    (done,) = rig.trials
    assert done.wrong_task and done.failure == "did moving_grasp"
    assert done.duration == pytest.approx(8.0, abs=0.5)


def test_holds_are_safety_events_with_their_time(tmp_path: Path) -> None:
    rig = one_trial(
        tmp_path, scene=scene_success,
        states=lambda t: ("hold", "the plan ran out") if 2.0 < t < 2.5 else ("run", ""),
    )  # fmt: skip
    assert rig.run()
    (done,) = rig.trials
    assert [(e.kind, e.text) for e in done.safety] == [("hold", "the plan ran out")]
    assert done.safety[0].time == pytest.approx(2.1, abs=0.2)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(when=st.lists(st.floats(0.0, 40.0), min_size=1, max_size=4))
def test_interrupted_anywhere_any_number_of_times_every_trial_gets_one_verdict(
    tmp_path_factory: pytest.TempPathFactory, when: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    for seconds in when:
        rig = Rig(folder, scene=scene_success, interrupt_at=100.0 + seconds)
        rig.run()
        assert not rig.moving
    rig = Rig(folder, scene=scene_success)
    assert rig.run() is True
    counted = scored(rig.trials)
    assert {(t.checkpoint, t.trial) for t in counted} == {
        (p.checkpoint, p.trial) for p in rig.plan.trials
    }
    assert len([t for t in rig.trials if t.scored]) == len(rig.plan.trials)
    for attempt in rig.trials:
        assert attempt.scored or attempt.void == "the session was interrupted"


def test_quit_ends_at_any_question_and_leaves_no_half_trial(tmp_path: Path) -> None:
    rig = one_trial(tmp_path, says=says(arrange="quit"))
    assert rig.run() is False
    assert rig.trials == [] and "goes on from here" in rig.told[-1]
    rig = one_trial(tmp_path, says=says(arrange="go", furthest="quit"))
    assert rig.run() is False
    assert [t.void for t in rig.trials] == ["the session was interrupted"]


def test_another_plan_s_folder_is_refused(tmp_path: Path) -> None:
    with TrialLog(tmp_path) as log:
        log.append(trial(0, plan="f" * 64))
    with pytest.raises(UserError, match="trials of another plan"):
        Rig(tmp_path, scene=scene_success).run()


def test_words_before_the_start_do_not_judge_it(tmp_path: Path) -> None:
    rig = one_trial(tmp_path, scene=scene_success)
    rig.states = lambda t: ("move_to_start", "") if t < 2 else ("run", "")
    rig.queue = ["success"]
    assert rig.run()
    assert any("not begun yet" in told for told in rig.told)
    assert rig.trials[0].duration > 1.5


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("go", Said("go")),
        ("  FAIL  dropped it ", Said("fail", "dropped it")),
        ("stage on_scale", Said("stage", "on_scale")),
        ("did moving_grasp", Said("did", "moving_grasp")),
        ("void camera fell", Said("void", "camera fell")),
    ],
)
def test_what_the_operator_may_say(line: str, meaning: Said) -> None:
    assert understood(line, RUBRICS["weighing"], tuple(RUBRICS)) == meaning


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("hurrah", "say go, success, fail"),
        ("", "not understood"),
        ("void", "REASON"),
        ("stage lifted", "say grasped, on_scale"),
        ("did sorting", "say weighing, moving_grasp"),
    ],
)
def test_what_is_not_understood_lists_what_there_is(line: str, says: str) -> None:
    with pytest.raises(NotUnderstood, match=says):
        understood(line, RUBRICS["weighing"], tuple(RUBRICS))
