"""Simulated trials: known answers, the robot's own way of driving, resumption, voids."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kuavo_cli.errors import UserError
from kuavo_eval.simulation import SimulationSettings, run
from kuavo_eval.simulation import trial as trial_module
from kuavo_eval.simulation.candidates import candidates
from kuavo_eval.simulation.run import RUN_FILE
from kuavo_eval.simulation.stand_ins import Hold
from kuavo_eval.simulation.trial import DONE_FOR, TrialJob, run_trial
from kuavo_eval.trials import Trial, read_trials
from kuavo_sim.experts.base import OutOfReach

FAST = SimulationSettings(image_size=(48, 64), videos=0)


def tried(
    name: str, task: str = "weighing", seed: int = 3, latency: float = 0.2, **changes: Any
) -> Trial:
    candidate = candidates({name: name})[0]
    return run_trial(TrialJob(candidate, task, seed, replace(FAST, **changes), latency))


def test_who_holds_still_fails_without_any_stage_each_time_alike() -> None:
    trial = tried("hold", time_limit=1.5)
    assert trial.success is False and trial.failure == "time limit"
    assert not trial.stages and trial.did is None and not trial.safety
    assert trial.aim is None, "no hand closed"
    assert trial.duration == pytest.approx(1.5, abs=0.02)
    assert trial.latency is not None and trial.latency.median == pytest.approx(0.2)
    assert replace(tried("hold", time_limit=1.5), began="") == replace(trial, began="")


def test_who_does_the_other_task_is_counted_as_wrong_task_not_as_success() -> None:
    trial = tried("swapped", "weighing")
    assert trial.success is False and trial.wrong_task and trial.did == "moving_grasp"
    assert trial.failure == "did moving_grasp"
    assert trial.duration < 14.2 + DONE_FOR, "it ends a while after the other task was done"


def test_numbers_that_are_not_finite_make_a_trial_void() -> None:
    trial = tried("nan")
    assert trial.success is None and "not finite" in (trial.void or "")


@pytest.mark.parametrize("latency", [pytest.param(0.0, marks=pytest.mark.slow), 0.35])
def test_a_demonstration_in_chunks_succeeds_whatever_the_latency(latency: float) -> None:
    trial = tried("demonstration", "weighing", latency=latency)
    assert trial.success, (trial.failure, trial.void, trial.safety)
    assert trial.latency is not None and trial.latency.median == pytest.approx(latency)
    assert trial.aim is not None and abs(trial.aim.aside) < 0.015, "it closes about the parcel"
    assert abs(trial.aim.ahead) < 0.03 and trial.aim.time < trial.stages["grasped"] + 1e-6


@pytest.mark.slow
def test_a_demonstration_with_quick_lifts_and_a_push_succeeds_through_the_executor() -> None:
    trial = tried("demonstration", "moving_grasp", latency=0.1)
    assert trial.success, (trial.failure, trial.void, trial.stages)


@pytest.mark.slow
def test_a_demonstration_walks_through_the_executor_s_hand_over() -> None:
    trial = tried("demonstration", "sorting", latency=0.3)
    assert trial.success, (trial.failure, trial.void, trial.stages)


def test_plans_too_late_to_be_executed_make_a_trial_void() -> None:
    trial = tried("hold", latency=1.9, interval=1.9, time_limit=1.0)
    assert trial.void == "no plan was executed: none came"


def test_a_policy_slower_than_its_chunk_is_void_not_bad() -> None:
    trial = tried("hold", latency=2.1)
    assert trial.void == "inference takes longer than a chunk lasts"


def test_a_policy_sees_shadows_as_the_robot_does_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def plan(self: Hold, observation: Any, sampling: Any) -> np.ndarray:
        (image,) = [value for name, value in observation.items() if "head" in name]
        seen.append(np.asarray(image, dtype=float))
        raise RuntimeError("seen enough")

    monkeypatch.setattr(Hold, "cameras", ("head_cam_h",))
    monkeypatch.setattr(Hold, "plan", plan)
    for shadows in (True, False):
        tried("hold", "weighing", shadows=shadows)
    with_shadows, without = seen
    assert with_shadows.mean() < without.mean() * 0.98, "shadows darken the picture"


def test_a_policy_that_raises_is_void_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(self: Hold, observation: Any, sampling: Any) -> np.ndarray:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(Hold, "plan", plan)
    assert tried("hold").void == "RuntimeError: CUDA out of memory"


def test_a_policy_far_outside_the_limits_fails_by_the_executor_s_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Hold, "plan", lambda self, observation, sampling: np.full((20, 20), 9.0))
    trial = tried("hold")
    assert trial.success is False and trial.void is None
    assert "outside the arms' limits" in (trial.failure or "")
    assert "fault" in {event.kind for event in trial.safety}


def test_an_expert_that_gives_up_fails_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(self: Any) -> np.ndarray:
        raise OutOfReach("the arm does not reach")

    monkeypatch.setattr(trial_module.ExpertDriver, "act", act)
    trial = tried("expert")
    assert trial.success is False and trial.failure == "the arm does not reach"


def test_the_expert_succeeds_in_every_stage_after_a_switch_that_is_followed_and_measured() -> None:
    trial = tried("expert", "moving_grasp", switch_at=1.0)
    assert trial.success and trial.did == "moving_grasp" and not trial.wrong_task, trial
    times = [time or 0.0 for time in trial.stages.values()]
    assert tuple(trial.stages) == trial.rubric and times == sorted(times)
    assert trial.duration >= times[-1] and trial.failure is None and trial.void is None
    assert trial.switch is not None and trial.switch.first == "weighing"
    assert trial.switch.at == pytest.approx(1.0, abs=0.1)
    assert trial.switch.resumed is not None

    held = tried("hold", "placement", switch_at=1.0, time_limit=2.5)
    assert held.switch is not None and held.switch.resumed is not None
    # the inference that runs when it is said is finished in vain, then one for the new words
    assert 1.2 - 0.02 <= held.switch.resumed <= 1.4 + 0.03


def test_a_run_is_resumed_and_refuses_to_become_another(tmp_path: Path) -> None:
    settings = replace(FAST, time_limit=0.5)
    tested: dict[str, Path | str] = {"hold": "hold", "nan": "nan"}
    folder = tmp_path / "run"
    first = run(tested, ["weighing"], 2, 5, folder, settings)
    assert [(t.checkpoint, t.trial) for t in first] == [
        ("hold", "weighing-5"), ("nan", "weighing-5"),
        ("hold", "weighing-6"), ("nan", "weighing-6"),
    ]  # fmt: skip
    log = (folder / "trials.jsonl").read_bytes()
    lines = log.splitlines(keepends=True)
    (folder / "trials.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:40])

    again = run(tested, ["weighing"], 2, 5, folder, settings)
    assert [(t.checkpoint, t.trial, t.attempt) for t in again] == [
        ("hold", "weighing-5", 1), ("nan", "weighing-5", 1),
        ("nan", "weighing-5", 2), ("hold", "weighing-6", 1), ("nan", "weighing-6", 1),
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"another run \(seed: 5 then, 6 now\)"):
        run(tested, ["weighing"], 2, 6, folder, settings)
    with pytest.raises(UserError, match="time_limit"):
        run(tested, ["weighing"], 2, 5, folder, replace(settings, time_limit=2.0))
    assert read_trials(folder) == again


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        run({"hold": "hold"}, ["weighing"], 1, 5, tmp_path, FAST)
    (tmp_path / RUN_FILE).write_text("{")
    with pytest.raises(UserError, match="damaged"):
        run({"hold": "hold"}, ["weighing"], 1, 5, tmp_path, FAST)
    assert sorted(p.name for p in tmp_path.iterdir()) == [RUN_FILE, "thesis.tex"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"continuation": "magic"}, "choose from blend, rtc"),
        ({"latency": -1.0}, "latency is 0…60 s"),
        ({"latency": float("nan")}, "latency"),
        ({"switch_at": 0.0}, "switch_at"),
        ({"image_size": (8, 8)}, "32"),
    ],
)
def test_impossible_settings_say_what_is_possible(changes: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        SimulationSettings(**changes)


def test_unknown_stand_ins_and_missing_checkpoints_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="choose from expert, swapped"):
        candidates({"x": "oracle"})
    with pytest.raises(UserError, match="no checkpoint at"):
        candidates({"x": tmp_path / "nothing"})
    with pytest.raises(UserError, match="give a checkpoint"):
        candidates({})


def test_failures_are_filmed_as_they_happened(tmp_path: Path) -> None:
    import av

    settings = replace(FAST, time_limit=0.6, videos=1)
    run({"hold": "hold"}, ["placement"], 2, 5, tmp_path / "run", settings)
    films = list((tmp_path / "run" / "videos").iterdir())
    assert [film.name for film in films] == ["hold_placement-5.mp4"]
    with av.open(str(films[0])) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4
    assert json.loads((tmp_path / "run" / RUN_FILE).read_text())["latency"] == {"hold": 0.0}
