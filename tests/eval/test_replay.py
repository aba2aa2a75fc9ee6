"""Replayed bags: shadow commands against recorded ones, with known answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kuavo_cli.errors import UserError
from kuavo_deploy.robot.layout import ARM_INDICES, HAND_INDICES
from kuavo_eval.folder import REPLAY, EvaluationFolder
from kuavo_eval.replay.capture import Capture
from kuavo_eval.replay.results import replay_document, replay_report
from kuavo_eval.replay.run import replay_bags
from kuavo_eval.replay.score import Recorded, ReplayScore, read_recorded, score
from kuavo_train.data.bags.options import Options
from kuavo_train.tasks import task_named

from .page_numbers import check_page

ARMS, HANDS = list(ARM_INDICES), list(HAND_INDICES)
RATE = 100


@pytest.fixture(scope="module")
def bag(root: Path) -> Path:
    return next((root / "samples" / "bags" / "weighing").glob("*.bag"))


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """Ten seconds: an arm that swings, a hand that closes at 3 s and opens at 6 s."""
    times = 1000.0 + np.arange(100) / 10
    actions = np.zeros((100, 16))
    actions[:, 0] = np.sin(times)
    actions[30:60, HANDS[0]] = 1.0
    states = np.vstack([actions[:1], actions[:-1]])
    return Recorded("swing.bag", times, states, actions)


@pytest.fixture(scope="module")
def walk(recorded: Recorded) -> Recorded:
    """The same while the base walks for four seconds: a metre ahead, turning over ±180°."""
    base = np.zeros((100, 4))
    base[:, 0] = np.clip((np.arange(100) - 20) / 40, 0, 1)
    base[:, 2] = (np.pi - 0.2 + 0.4 * base[:, 0] + np.pi) % (2 * np.pi) - np.pi
    base[20:60, 3] = 1.0
    return replace(recorded, actions=np.hstack([recorded.actions, base]))


def capture_of(recorded: Recorded, shift: float = 0.0, late: float = 0.0) -> Capture:
    """What nodes would have said that command the recorded actions (plus a shift, and late)."""
    at = np.arange(recorded.times[0], recorded.times[-1] + 0.05, 1 / RATE)
    columns = [np.interp(at - late, recorded.times, column) for column in recorded.actions.T]
    rows = np.array(columns).T
    return Capture(
        arms=[(t, (row[ARMS] + shift).tolist()) for t, row in zip(at, rows, strict=True)],
        hands=[(t, row[HANDS].tolist()) for t, row in zip(at, rows, strict=True)],
        states=[(recorded.times[0] - 1, "ready", ""), (recorded.times[0] - 0.5, "run", "")],
        base=[(t, row[16:].tolist()) for t, row in zip(at, _held(recorded, at), strict=True)],
        plans=[(t, t - 0.4) for t in np.arange(recorded.times[0] - 1.0, at[-1], 0.5).tolist()],
    )


def _held(recorded: Recorded, at: np.ndarray) -> np.ndarray:
    return recorded.actions[np.searchsorted(recorded.times, at + 1e-6, side="right") - 1]


def test_an_oracle_walks_as_recorded(walk: Recorded) -> None:
    result = score(walk, capture_of(walk))
    assert result.base is not None and len(result.base.distance) == 40
    document = replay_document([result], {})
    for name, wanted in (("distance", 0.0), ("heading", 0.0), ("agrees", 1.0)):
        assert document["base"][name]["value"] == pytest.approx(wanted, abs=1e-9)
    assert [curve["joint"] for curve in document["bags"][0]["curves"]][-4:] == [
        "base_x", "base_y", "base_yaw", "move"
    ]  # fmt: skip


def test_another_walk_is_as_far_off_as_it_is(walk: Recorded) -> None:
    """3 m and 4 m beside it, turned by 0.3 rad over the seam, and begun two seconds late."""
    capture = capture_of(walk)
    wrong = []
    for time, (x, y, yaw, move) in capture.base:
        late = 0.0 if time < walk.times[40] - 0.05 else move
        wrong.append((time, [x + 3.0, y + 4.0, (yaw + 0.3 + np.pi) % (2 * np.pi) - np.pi, late]))
    document = replay_document([score(walk, replace(capture, base=wrong))], {})
    assert document["base"]["distance"]["value"] == pytest.approx(5.0)
    assert document["base"]["heading"]["value"] == pytest.approx(0.3)
    assert document["base"]["agrees"]["value"] == pytest.approx(0.8)
    assert document["arms_error"]["value"] == pytest.approx(0.0, abs=1e-6)


def test_a_standing_task_has_no_base_and_a_base_that_is_never_commanded_is_void(
    recorded: Recorded, walk: Recorded
) -> None:
    assert replay_document([score(recorded, capture_of(recorded))], {})["base"] is None
    silent = score(walk, replace(capture_of(walk), base=[]))
    assert "is /odom in the bag?" in silent.void
    still = replace(walk, actions=walk.actions * np.r_[np.ones(19), 0.0])
    never = replay_document([score(still, capture_of(still))], {})
    assert never["base"]["distance"]["value"] is None
    assert "never moves" in never["base"]["distance"]["why"]


def test_an_oracle_has_no_error_full_skill_and_every_hand_event(recorded: Recorded) -> None:
    result = score(recorded, capture_of(recorded))
    assert not result.void and result.covered == 1.0
    assert result.arm_error(result.shadow).max() < 1e-6
    assert result.normalized_error().max() < 1e-6
    assert result.hands.f1 == 1.0 and abs(result.hands.lag) < 0.05
    document = replay_document([result], {})
    assert document["skill"]["value"] == pytest.approx(1.0)
    assert document["answer"].startswith("The arms would have been commanded 0")
    assert document["arms_error"]["value"] == pytest.approx(0.0, abs=1e-6)


def test_a_shift_is_the_error_that_it_is(recorded: Recorded) -> None:
    result = score(recorded, capture_of(recorded, shift=0.1))
    assert result.arm_error(result.shadow) == pytest.approx(0.1)
    assert replay_document([result], {})["arms_error"]["value"] == pytest.approx(0.1)


def test_lateness_is_the_hands_lag(recorded: Recorded) -> None:
    result = score(recorded, capture_of(recorded, late=0.2))
    assert result.hands.f1 == 1.0 and result.hands.lag == pytest.approx(0.2, abs=0.06)


def test_who_holds_the_observed_state_has_skill_0(recorded: Recorded) -> None:
    oracle = capture_of(recorded)
    still = score(recorded, oracle).holding
    holding = replace(oracle, arms=[
        (t, row.tolist()) for t, row in zip(recorded.times, still[:, ARMS], strict=True)
    ])  # fmt: skip
    result = score(recorded, holding)
    assert replay_document([result], {})["skill"]["value"] == pytest.approx(0.0, abs=1e-9)
    assert result.arm_error(result.holding).mean() > 0.01, "up to 0.9 s of swinging"


def test_only_frames_under_command_count(recorded: Recorded) -> None:
    half = capture_of(recorded)
    half.states.append((recorded.times[50], "hold", "the plan ran out"))
    result = score(recorded, half)
    assert result.covered == pytest.approx(0.5) and len(result.times) == 50
    assert result.holds == [(pytest.approx(5.0), "the plan ran out")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"arms": []}, "no shadow commands"),
        ({"states": []}, "said nothing"),
        ({"states": [(0.0, "ready", "waiting for a plan")]}, "waiting for a plan"),
        ({"states": [(0.0, "fault", "a plan's positions are not finite")]}, "not finite"),
        ({"dead": "the policy's process died and was started again"}, "process died"),
    ],
)
def test_without_commands_there_is_a_reason_and_no_score(
    recorded: Recorded, change: dict, reason: str
) -> None:
    result = score(recorded, replace(capture_of(recorded), **change))
    assert reason in result.void
    document = replay_document([result], {})
    assert document["arms_error"]["value"] is None and document["void"] == 1
    assert document["answer"] == "Nothing could be scored. 1 bag is void."


def test_commands_that_are_not_finite_are_void(recorded: Recorded) -> None:
    capture = capture_of(recorded)
    capture.arms[300] = (capture.arms[300][0], [float("nan")] * 14)
    assert score(recorded, capture).void == "shadow commands that are not finite"


def test_a_capture_is_what_was_saved_or_an_error(recorded: Recorded, tmp_path: Path) -> None:
    capture = capture_of(recorded)
    capture.save(tmp_path)
    loaded = Capture.load(tmp_path)
    assert score(recorded, loaded).shadow == pytest.approx(score(recorded, capture).shadow)
    (tmp_path / "capture.json").write_text("{")
    with pytest.raises(UserError, match="holds no replay"):
        Capture.load(tmp_path)


def test_a_real_bag_is_read_at_its_frames(bag: Path) -> None:
    found = read_recorded(bag, task_named("weighing"), Options())
    assert found.actions.shape == (len(found.times), 16) and len(found.times) > 10
    assert np.diff(found.times) == pytest.approx(0.1, abs=1e-5)
    oracle = score(found, capture_of(found))
    assert oracle.arm_error(oracle.shadow).max() < 1e-5


def test_a_damaged_bag_is_void_without_anything_being_started(tmp_path: Path, bag: Path) -> None:
    broken = tmp_path / "broken.bag"
    broken.write_bytes(bag.read_bytes()[:5000])
    (result,) = replay_bags(
        [broken], task_named("weighing"), tmp_path, 1.0, "cpu", tmp_path / "out", Options(),
        say=lambda text: None,
    )  # fmt: skip
    assert result.void and result.name == "broken.bag" and not (tmp_path / "out").exists()


def test_the_page_shows_the_numbers_of_the_document(
    recorded: Recorded, walk: Recorded, tmp_path: Path
) -> None:
    shifted = score(walk, capture_of(walk, shift=0.1))
    oracle = replace(score(recorded, capture_of(recorded)), name="oracle.bag")
    void = ReplayScore("dead.bag", void="the policy's process died")
    with EvaluationFolder(tmp_path / "replay", REPLAY) as folder:
        about = {"task": "sorting", "rate": 1.0}
        folder.finish(replay_document([shifted, oracle, void], about), replay_report)
    check_page(tmp_path / "replay")
