"""The executor against a fake clock: what safety.md promises, row by row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuavo_deploy.executor.epochs import Announcement, EpochError
from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.robot import layout

from .world import LIMITS, MIDDLE, STEP, World, assert_bounded

BAD = [np.nan, np.inf, -np.inf]
SEEDS = st.integers(0, 2**32 - 1)


def published(world: World) -> int:
    """How many arm commands have left."""
    return sum(commands.arms is not None for commands in world.sent)


# before anything is enabled


def test_nothing_is_published_before_enabling() -> None:
    world = World()
    world.switch()
    world.run(0.2)
    world.executor.on_plan(world.plan(MIDDLE + 0.1))
    world.run(0.2)
    assert published(world) == 0
    assert world.state == "disabled"


def test_the_first_command_is_the_measured_posture() -> None:
    world = World()
    world.arms = MIDDLE + 0.123
    world.sense()
    world.executor.enable()
    world.follows = False
    first = world.tick()
    assert (first.arms == MIDDLE + 0.123).all()


def test_enabling_is_refused_without_sensors_with_the_reason() -> None:
    world = World()
    world.sensing = False
    world.run(0.5)
    done, why = world.executor.enable()
    assert not done
    assert "/sensors_data_raw is 0.50 s old" in why


def test_enabling_is_refused_while_the_arms_move() -> None:
    world = World()
    world.executor.on_joints(np.zeros(28), np.full(28, 1.0), world.now)
    assert world.executor.enable() == (False, "not enabled: the arms move")


def test_enabling_is_refused_while_the_arms_are_far_outside_their_limits() -> None:
    world = World()
    world.arms = LIMITS.upper + 1.0
    world.sense()
    done, why = world.executor.enable()
    assert not done
    assert "another robot version" in why


def test_limits_that_come_late_count_from_the_next_enable_and_never_in_motion() -> None:
    world = World().running()
    narrower = replace(LIMITS, upper=MIDDLE + 0.1)
    with pytest.raises(RuntimeError, match="limits"):
        world.executor.use_limits(narrower)
    world.executor.disable()
    world.run(0.5)
    world.executor.use_limits(narrower)
    world.executor.enable()
    world.tick()
    world.executor.on_plan(world.plan(MIDDLE + 0.5))
    world.run(1.5)
    assert np.abs(world.arms - (MIDDLE + 0.08)).max() < 1e-3


def test_enabling_is_refused_until_the_last_motion_has_been_stopped() -> None:
    world = World().running()
    world.executor.on_plan(world.plan(np.linspace(MIDDLE, MIDDLE + 0.8, 20)))
    world.run(0.6)
    world.executor.disable()
    world.tick(3)
    assert world.executor.enable() == (False, "not enabled: the arms are still being stopped")
    world.run(0.5)
    assert world.executor.enable()[0]


# plans


def test_a_plan_is_followed_to_its_end() -> None:
    world = World().running()
    goal = MIDDLE + 0.1
    steps = np.linspace(MIDDLE, goal, 20)
    world.executor.on_plan(world.plan(steps))
    world.run(20 * STEP)
    assert np.abs(world.arms - goal).max() < 2e-3


def test_hands_follow_at_a_bounded_speed() -> None:
    world = World().running()
    raw = world.plan()
    actions = np.array(raw.positions)
    actions[:, [7, 15]] = 1.0
    world.executor.on_plan(replace(raw, positions=actions))
    world.run(1.0)
    hands = np.array([c.hands for c in world.sent if c.hands is not None])
    assert (hands[-1] == 1.0).all()
    assert np.abs(np.diff(hands, axis=0)).max() <= 0.03 + 1e-9


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("index", range(16))
def test_a_number_that_is_not_finite_never_leaves_and_faults(bad: float, index: int) -> None:
    world = World().running()
    actions = np.array(world.plan().positions)
    actions[index, index] = bad
    refusal = world.executor.on_plan(world.plan(positions=actions))
    assert refusal is not None and "not finite" in refusal
    world.run(0.5)
    assert world.state == "fault"
    for commands in world.sent:
        assert commands.arms is None or (np.abs(commands.arms - MIDDLE) < 1e-6).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"names": ["l_arm_1"] * 16}, "names"),
        ({"names": []}, "names"),
        ({"times": [0.1] * 20}, "must rise"),
        ({"times": STEP * np.arange(20, 0, -1)}, "must rise"),
        ({"times": STEP * np.arange(-1, 19)}, "must rise"),
        ({"times": STEP * np.arange(1, 20)}, "shape"),
        ({"times": [np.nan] * 20}, "not finite"),
        ({"times": 10 * np.arange(1, 21)}, "at most"),
        ({"positions": np.zeros((20, 15))}, "shape"),
        ({"positions": [["a"] * 16] * 20}, "not numbers"),
        ({"positions": [[0.0] * 16] * 19 + [[0.0] * 15]}, "not numbers"),
        ({"positions": np.zeros((501, 16)), "times": np.arange(1, 502) / 10}, "1…500"),
        ({"stamp": 0.0}, "stamp"),
        ({"stamp": np.nan}, "stamp"),
        ({"positions": np.rad2deg(np.full((20, 16), 1.0))}, "Degrees"),
    ],
)
def test_a_malformed_plan_faults_with_what_is_wrong(change: dict, said: str) -> None:
    world = World().running()
    refusal = world.executor.on_plan(world.plan(**change))
    assert refusal is not None and said in refusal
    assert world.state == "fault"


def test_a_plan_far_outside_is_told_by_joint_and_step() -> None:
    world = World().running()
    actions = np.zeros((20, 16))
    actions[:, list(layout.ARM_INDICES)] = MIDDLE
    actions[7, layout.STATE_NAMES.index("r_arm_4")] -= 4.0
    actions[9, layout.STATE_NAMES.index("l_arm_2")] += 3.0
    refusal = world.executor.on_plan(world.plan(positions=actions))
    assert refusal is not None
    assert f"r_arm_4 {MIDDLE[10] - 4.0:.2f} rad at step 7" in refusal


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stamp": 1000.0 - 2.0}, "s old"),
        ({"stamp": 1000.0 + 60.0}, "future"),
        ({"epoch": "test:0"}, "another instruction"),
        ({"epoch": "other:1"}, "another instruction"),
    ],
)
def test_a_plan_that_a_network_delayed_is_dropped_and_the_robot_goes_on(
    change: dict, said: str
) -> None:
    world = World(ExecutorSettings(plan_max_age=1.0)).running()
    refusal = world.executor.on_plan(world.plan(MIDDLE + 0.3, **change))
    assert refusal is not None and said in refusal
    world.run(0.3)
    assert world.state == "run"
    assert np.abs(world.arms - MIDDLE).max() < 1e-6


def test_plans_that_overtake_each_other_are_executed_in_their_own_order() -> None:
    world = World().running()
    old = world.plan(MIDDLE - 0.2)
    world.run(0.1)
    assert world.executor.on_plan(world.plan(MIDDLE + 0.2)) is None
    refusal = world.executor.on_plan(old)
    assert refusal is not None and "after a newer" in refusal
    world.run(1.0)
    assert np.abs(world.arms - (MIDDLE + 0.2)).max() < 1e-2


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.floats(0.0, 3.0), st.floats(0.02, 1.0))
def test_the_stream_is_bounded_whatever_plans_come(seed: int, wild: float, blend: float) -> None:
    rng = np.random.default_rng(seed)
    world = World(ExecutorSettings(blend=blend, reach_tolerance=1.5)).running()
    for _ in range(8):
        steps = int(rng.integers(1, 20))
        arms = np.clip(
            MIDDLE + rng.normal(0, wild, (steps, 14)), LIMITS.lower - 1, LIMITS.upper + 1
        )
        times = np.cumsum(rng.uniform(0.005, 0.3, steps))
        world.executor.on_plan(world.plan(arms, steps, times=times))
        if rng.random() < 0.3:
            world.switch(str(rng.choice(["weighing", "sorting"])))
        world.tick(int(rng.integers(1, 40)))
        assert world.state in ("run", "ready", "hold")
    assert len(world.streams()) == 1, "the stream is never interrupted"
    assert_bounded(world.streams()[0], LIMITS)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.0, 2.0))
def test_late_and_hurried_ticks_raise_no_rate_of_what_is_published(seed: int, wild: float) -> None:
    rng = np.random.default_rng(seed)
    world = World(ExecutorSettings(reach_tolerance=1.5)).running()
    for _ in range(200):
        if rng.random() < 0.1:
            goal = MIDDLE + rng.normal(0, wild, (20, 14)).cumsum(axis=0) / 4
            goal = np.clip(goal, LIMITS.lower - 1, LIMITS.upper + 1)
            assert world.executor.on_plan(world.plan(goal)) is None
        if rng.random() < 0.02:
            world.executor.on_plan(world.plan(positions=[], times=[]))  # a hold, and on from it
        kind = rng.random()
        late = rng.uniform(0, 0.089) if kind < 0.2 else rng.uniform(-0.009, 0)
        world.tick(late=float(late) if kind < 0.4 else 0.0)
    assert len(world.streams()) == 1, "a late tick does not end the stream"
    assert_bounded(world.streams()[0], LIMITS)


def test_a_tick_that_is_too_late_ends_the_stream_which_begins_anew_where_the_arms_are() -> None:
    world = World().running()
    world.executor.on_plan(world.plan(np.linspace(MIDDLE, MIDDLE + 0.8, 20)))
    world.run(0.7)
    world.tick(late=world.settings.gap)
    world.run(0.5)
    assert len(world.streams()) == 2
    for stream in world.streams():
        assert_bounded(stream, LIMITS)


def test_two_ticks_at_one_time_are_one() -> None:
    world = World().running()
    sent = world.sent[-1]
    assert sent.arms is not None
    assert world.executor.tick()[1:] == (None, None, None)
    assert world.tick().arms is not None


# one switch never executes what was planned for the old instruction


def test_a_switch_between_a_plan_s_arrival_and_the_next_tick_drops_the_plan() -> None:
    world = World()
    world.switch("weighing")
    world.executor.enable()
    world.tick()
    assert world.executor.on_plan(world.plan(MIDDLE + 0.3)) is None
    world.switch("sorting")
    world.run(0.5)
    assert world.state == "ready"
    assert (world.arms == MIDDLE).all()


def test_a_thousand_switches_never_execute_an_old_plan_and_stay_smooth() -> None:
    rng = np.random.default_rng(0)
    world = World().running()
    in_flight: list = []
    for _ in range(1000):
        in_flight.append(world.plan(MIDDLE + rng.uniform(-0.4, 0.4, 14)))
        world.switch(str(rng.choice(["moving_grasp", "weighing", "placement", "sorting"])))
        for late in rng.permutation(len(in_flight))[:3]:
            assert world.executor.on_plan(in_flight[late]) is not None
        if rng.random() < 0.7:
            assert world.executor.on_plan(world.plan(MIDDLE + rng.uniform(-0.4, 0.4, 14))) is None
        for _ in range(int(rng.integers(1, 12))):
            world.tick()
            assert world.executor.executing in (None, world.epoch)
        in_flight = in_flight[-5:]
    assert_bounded(world.streams()[0], LIMITS)


def test_after_a_switch_the_arms_brake_and_stand_until_the_new_plan() -> None:
    world = World().running()
    world.executor.on_plan(world.plan(np.linspace(MIDDLE, MIDDLE + 0.5, 20)))
    world.run(0.5)
    assert world.switch("sorting") == "sorting"
    at_switch = world.arms
    world.run(1.0)
    assert world.state == "ready"
    assert not world.executor.stream.moving
    # braking from the plan's 0.25 rad/s with the robot's jerk takes about a hundredth of a radian
    assert np.abs(world.arms - at_switch).max() < 0.03


def test_an_announcement_again_changes_nothing_and_an_overtaken_one_is_refused() -> None:
    world = World().running()
    now = world.executor.epochs.current
    assert now is not None
    assert world.executor.on_announcement(now) == "weighing"
    assert world.state == "run"
    world.switch("sorting")
    with pytest.raises(EpochError, match="over"):
        world.executor.on_announcement(now)
    assert world.executor.epochs.current.task == "sorting"


def test_a_policy_process_that_wakes_up_after_it_was_replaced_has_no_say() -> None:
    world = World().running()
    world.executor.on_announcement(Announcement("new:1", "sorting", "sort"))
    with pytest.raises(EpochError, match="over"):
        world.executor.on_announcement(Announcement("test:99", "weighing", "weigh"))


# what is missing holds, what is wrong faults


def test_a_plan_that_runs_out_ends_at_its_last_action_in_a_hold() -> None:
    world = World(ExecutorSettings(plan_max_age=10)).running()
    world.executor.on_plan(world.plan(np.linspace(MIDDLE, MIDDLE + 0.1, 5), steps=5))
    world.run(5 * STEP - 0.02)
    assert world.state == "run"
    world.run(0.5)
    assert world.state == "hold"
    assert "ran out" in world.executor.supervisor.reason
    assert np.abs(world.arms - (MIDDLE + 0.1)).max() < 5e-3


def test_a_plan_holds_when_its_observation_is_older_than_allowed() -> None:
    world = World(ExecutorSettings(plan_max_age=0.5)).running()
    world.executor.on_plan(world.plan(MIDDLE + 0.1))
    world.run(0.5 - 0.02)
    assert world.state == "run"
    world.run(0.05)
    assert world.state == "hold"


def test_a_fresh_plan_ends_a_hold_without_a_jump() -> None:
    world = World(ExecutorSettings(plan_max_age=0.5)).running()
    world.run(1.0)
    assert world.state == "hold"
    assert world.executor.on_plan(world.plan(MIDDLE + 0.2)) is None
    world.run(0.4)
    assert world.state == "run"
    assert_bounded(world.streams()[0], LIMITS)


def test_a_hold_that_lasts_faults() -> None:
    world = World(ExecutorSettings(plan_max_age=0.5, hold_limit=2.0)).running()
    world.run(3.0)
    assert world.state == "fault"
    assert "held for 2.0 s" in world.executor.supervisor.reason
    assert world.executor.on_plan(world.plan()) is not None


def test_silent_sensors_hold_at_their_bound_and_the_hold_ends_with_a_fresh_plan() -> None:
    world = World(ExecutorSettings(joints_max_age=0.2)).running()
    world.sensing = False
    world.tick(20)
    assert world.state == "run"
    world.tick(2)
    assert world.state == "hold"
    assert "/sensors_data_raw" in world.executor.supervisor.reason
    world.sensing = True
    world.run(0.2)
    assert world.state == "hold", "the plan from before is not taken up again"
    assert world.executor.supervisor.reason.startswith("no fresh plan since: /sensors_data_raw")
    world.executor.on_plan(world.plan())
    world.tick(2)
    assert world.state == "run"


def test_sensors_that_are_late_before_the_first_plan_do_not_end_the_waiting_for_it() -> None:
    world = World(ExecutorSettings(hold_limit=2.0))
    world.switch()
    world.executor.enable()
    world.tick()
    world.sensing = False
    world.run(0.3)
    assert world.state == "hold"
    world.sensing = True
    world.run(3.0)
    assert world.state == "ready", "a policy may load for longer than a hold may last"
    world.executor.on_plan(world.plan())
    world.tick(2)
    assert world.state == "run"


@pytest.mark.parametrize("stamp", [0.0, -1.0, np.nan, 1e9])
def test_sensors_with_no_stamp_or_one_from_the_future_do_not_count(stamp: float) -> None:
    world = World().running()
    world.sensing = False
    for _ in range(40):
        world.executor.on_joints(np.zeros(28), np.zeros(28), stamp)
        world.tick()
    assert world.state == "hold"


@pytest.mark.parametrize("joints", [np.zeros(27), np.full(28, np.nan), np.zeros(0)])
def test_joints_of_another_robot_or_not_finite_fault(joints: np.ndarray) -> None:
    world = World().running()
    world.executor.on_joints(joints, np.zeros(28), world.now)
    assert world.state == "fault"


def test_arms_that_do_not_follow_fault_with_the_joint_s_name() -> None:
    world = World().running()
    world.follows = False
    goal = MIDDLE.copy()
    goal[9] += 0.6
    world.executor.on_plan(world.plan(goal))
    world.run(2.0)
    assert world.state == "fault"
    assert "r_arm_3 does not follow" in world.executor.supervisor.reason


def test_an_arm_that_is_blocked_is_pressed_no_harder_than_its_lead_and_goes_on_when_freed() -> None:
    world = World(ExecutorSettings(tracking_time=5.0)).running()
    world.follows = False
    goal = np.linspace(MIDDLE, MIDDLE + 0.6, 20)
    world.executor.on_plan(world.plan(goal))
    world.run(2.2)
    sent = world.sent[-1].arms
    assert sent is not None
    assert np.abs(sent - MIDDLE).max() == pytest.approx(world.settings.lead, abs=1e-3)
    world.follows = True
    world.executor.on_plan(world.plan(MIDDLE + 0.6))
    world.run(2.2)
    assert world.state == "run"
    assert np.abs(world.arms - (MIDDLE + 0.6)).max() < 5e-3
    for stream in world.streams():
        assert_bounded(stream, LIMITS)


def test_one_arm_that_is_blocked_does_not_stop_the_other() -> None:
    world = World(ExecutorSettings(tracking_time=5.0)).running()
    stuck = MIDDLE[7:].copy()
    world.executor.on_plan(world.plan(np.linspace(MIDDLE, MIDDLE + 0.6, 20)))
    for _ in range(230):
        world.arms = np.concatenate([world.arms[:7], stuck])
        world.tick()
    sent = world.sent[-1].arms
    assert sent is not None
    assert np.abs(sent[:7] - (MIDDLE[:7] + 0.6)).max() < 5e-3
    assert np.abs(sent[7:] - stuck).max() == pytest.approx(world.settings.lead, abs=1e-3)


def test_arms_that_brush_against_something_for_less_than_the_limit_go_on() -> None:
    world = World().running()
    world.follows = False
    world.executor.on_plan(world.plan(MIDDLE + 0.6, 40))
    world.run(0.9)
    world.follows = True
    world.run(1.0)
    assert world.state == "run"


def test_a_joint_that_is_late_now_and_then_is_not_blamed_for_the_others() -> None:
    world = World(ExecutorSettings(tracking_time=0.5)).running()
    world.follows = False
    for joint in (2, 3, 4):
        world.executor.on_plan(world.plan(MIDDLE + 0.6 * np.eye(14)[joint]))
        world.run(0.7)
        world.arms = np.array(world.sent[-1].arms)
    assert world.state == "run"


def test_a_robot_that_is_enabled_at_once_begins_another_stream_not_a_jump() -> None:
    world = World(ExecutorSettings(tracking_time=0.5)).running()
    world.follows = False
    world.executor.on_plan(world.plan(MIDDLE + 0.6))
    world.run(1.3)
    assert world.state == "fault"
    while world.sent[-1].arms is not None:
        world.tick()
    world.executor.reset_fault()
    assert world.executor.enable()[0]
    world.run(0.5)
    before, after = world.streams()[-2:]
    assert (after.arms[0] == MIDDLE).all(), "the measured posture, far from the last command"
    assert after.times[0] - before.times[-1] > world.settings.gap
    for stream in (before, after):
        assert_bounded(stream, LIMITS)


def test_moving_to_the_start_needs_no_policy() -> None:
    world = World(postures={"weighing": MIDDLE + 0.3})
    world.switch()
    world.executor.enable(move_to_start=True)
    world.run(0.5)
    world.executor.on_plan(world.plan(positions=[], times=[], names=["no camera"]))
    world.tick()
    assert world.state == "move_to_start"


@pytest.mark.parametrize(
    ("names", "said"),
    [(["head_cam_h is 0.9 s old"], "head_cam_h is 0.9 s old"), ([], "it does not say why"),
     (["a\n b", "\t" * 500], "a b"), (["x" * 10_000], "x" * 200)],
)  # fmt: skip
def test_an_empty_plan_stops_the_robot_for_the_reason_that_the_policy_names(
    names: list[str], said: str
) -> None:
    world = World().running()
    world.executor.on_plan(world.plan(positions=[], times=[], names=names))
    assert world.state == "hold"
    assert world.executor.supervisor.reason == f"the policy stopped: {said}"


def test_a_second_publisher_faults_and_enabling_is_refused_while_it_is_there() -> None:
    world = World().running()
    world.executor.on_publishers("/kuavo_arm_traj", ["/teleop"])
    assert world.state == "fault"
    world.executor.reset_fault()
    done, why = world.executor.enable()
    assert not done and "/teleop" in why
    world.executor.on_publishers("/kuavo_arm_traj", [])
    assert world.executor.enable()[0]


def test_a_clock_that_is_set_back_holds() -> None:
    world = World().running()
    world.now -= 5.0
    world.sensing = False
    world.tick()
    assert world.state == "hold"
    assert any("set back" in reason for reason in world.executor.supervisor.holds)


def test_after_a_pause_of_the_executor_itself_the_stream_begins_where_the_arms_are() -> None:
    world = World().running()
    world.executor.on_plan(world.plan(np.linspace(MIDDLE, MIDDLE + 0.5, 20)))
    world.run(0.5)
    world.now += 1.0
    world.arms = world.arms - 0.05
    measured = world.arms
    world.follows = False
    assert (world.tick().arms == measured).all()


def test_an_internal_error_faults_and_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World().running()
    monkeypatch.setattr(world.executor.stream, "follow", lambda *_: 1 / 0)
    assert world.tick()[1:] == (None, None, None)
    assert world.state == "fault"
    assert "ZeroDivisionError" in world.executor.supervisor.reason


def test_braking_into_silence_is_smooth_in_every_stop() -> None:
    for stop in ("disable", "pause"):
        world = World().running()
        world.executor.on_plan(world.plan(np.linspace(MIDDLE, MIDDLE + 0.8, 20)))
        world.run(0.6)
        getattr(world.executor, stop)()
        world.run(1.0)
        assert world.sent[-1].arms is None
        assert len(world.streams()) == 1
        assert_bounded(world.streams()[0], LIMITS)
        last = world.streams()[0].arms[-2:]
        assert np.abs(np.diff(last, axis=0)).max() < 5e-5, "it fell silent standing"


# the operator


def test_pause_and_resume_begin_again_at_the_measured_posture_and_need_a_fresh_plan() -> None:
    world = World().running()
    world.executor.pause("/kuavo/pause_state")
    world.run(0.5)
    assert (world.state, world.sent[-1].arms) == ("paused", None)
    world.arms = world.arms + 0.02
    world.sense()
    measured = world.arms
    assert world.executor.resume("/kuavo/pause_state") == (True, "ready")
    assert (world.tick().arms == measured).all()
    assert world.state == "ready"


def test_all_who_paused_must_resume() -> None:
    world = World().running()
    world.executor.pause("the operator")
    world.executor.pause("/kuavo/pause_state")
    assert world.executor.resume("the operator") == (False, "still paused by /kuavo/pause_state")
    world.executor.disable()
    assert "paused by" in world.executor.enable()[1]


def test_the_deadman_disables_when_it_is_not_renewed() -> None:
    world = World(ExecutorSettings(deadman=0.5))
    world.switch()
    assert "deadman" in world.executor.enable()[1]
    world.executor.on_deadman()
    assert world.executor.enable()[0]
    world.run(0.49)
    assert world.state == "ready"
    world.run(0.05)
    assert world.state == "disabled"


def test_the_deadman_is_not_held_by_a_clock_that_is_set_back() -> None:
    world = World(ExecutorSettings(deadman=0.5))
    world.switch()
    world.executor.on_deadman()
    assert world.executor.enable()[0]
    world.now -= 3600.0
    world.tick()
    assert world.state == "disabled"


def test_ready_without_a_plan_does_not_wait_forever() -> None:
    world = World(ExecutorSettings(ready_limit=5.0))
    world.switch()
    world.executor.enable()
    world.run(5.1)
    assert world.state == "disabled"


def test_the_start_posture_is_approached_slowly_and_plans_wait_until_it_is_reached() -> None:
    start = np.clip(MIDDLE + 0.5, LIMITS.lower, LIMITS.upper)
    world = World(postures={"weighing": start})
    world.switch()
    world.executor.enable(move_to_start=True)
    world.tick()
    assert world.state == "move_to_start"
    assert world.executor.on_plan(world.plan()) is not None
    world.run(4.0)
    assert world.state == "ready"
    reachable = np.clip(start, LIMITS.lower + 0.02, LIMITS.upper - 0.02)
    assert np.abs(world.arms - reachable).max() < 0.02
    stream = world.streams()[0]
    assert (np.abs(np.diff(stream.arms, axis=0)) / 0.01 <= 0.2 * LIMITS.velocity + 1e-9).all()
    assert_bounded(stream, LIMITS)


def test_moving_to_the_start_is_taken_up_again_after_an_interruption() -> None:
    world = World(postures={"weighing": MIDDLE + 0.3})
    world.switch()
    world.executor.enable(move_to_start=True)
    world.run(0.3)
    world.sensing = False
    world.run(0.5)
    assert world.state == "hold"
    world.sensing = True
    world.tick(2)
    assert world.state == "move_to_start"
    world.executor.pause()
    world.run(0.5)
    world.executor.resume()
    assert world.state == "move_to_start"


def test_a_switch_on_the_way_to_the_start_goes_to_the_new_task_s_start() -> None:
    world = World(postures={"weighing": MIDDLE + 0.3, "sorting": MIDDLE - 0.3})
    world.switch("weighing")
    world.executor.enable(move_to_start=True)
    world.run(0.4)
    world.switch("sorting")
    world.run(5.0)
    assert world.state == "ready"
    assert np.abs(world.arms - (MIDDLE - 0.3)).max() < 0.02
    assert_bounded(world.streams()[0], LIMITS)


def announced(world: World, start: tuple[float, ...]) -> None:
    world.number += 1
    world.executor.on_announcement(Announcement(world.epoch, "weighing", "weigh it", start))


def test_the_start_that_the_checkpoint_knows_counts_before_the_configured_one() -> None:
    world = World(postures={"weighing": MIDDLE - 0.3})
    announced(world, tuple(MIDDLE + 0.2))
    world.executor.enable(move_to_start=True)
    world.run(4.0)
    assert world.state == "ready"
    assert np.abs(world.arms - (MIDDLE + 0.2)).max() < 0.02


@pytest.mark.parametrize("start", [(), tuple(np.rad2deg(MIDDLE + 1.0))])
def test_without_one_or_with_another_robot_s_the_configured_start_counts(start: tuple) -> None:
    world = World(postures={"weighing": MIDDLE - 0.3})
    announced(world, start)
    world.executor.enable(move_to_start=True)
    world.run(4.0)
    assert np.abs(world.arms - (MIDDLE - 0.3)).max() < 0.02


@pytest.mark.parametrize("start", [(0.0,) * 13, (np.nan,) * 14, (np.inf,) * 14])
def test_an_announcement_with_a_start_that_is_none_is_refused(start: tuple) -> None:
    with pytest.raises(EpochError, match="start posture"):
        announced(World(), start)


def test_a_switch_on_the_way_to_a_task_without_a_start_stays_where_it_can_stop() -> None:
    world = World(postures={"weighing": MIDDLE + 0.3})
    world.switch("weighing")
    world.executor.enable(move_to_start=True)
    world.run(0.4)
    world.switch("sorting")
    world.run(1.0)
    assert world.state == "ready"


def test_in_shadow_nobody_follows_and_nobody_is_blamed() -> None:
    world = World(shadow=True)
    world.follows = False
    world.running()
    world.executor.on_plan(world.plan(MIDDLE + 0.6))
    world.run(1.5)
    assert world.state == "run"
