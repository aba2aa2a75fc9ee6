"""No sequence of events leaves FAULT for anything that moves without the operator's reset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.safety.states import SILENT, State, Supervisor, reason_kind

from .world import MIDDLE, World

EVENTS: dict[str, Callable[[Supervisor, float], Any]] = {
    "enable": lambda s, t: s.enable(t, False, []),
    "enable to start": lambda s, t: s.enable(t, True, []),
    "disable": lambda s, t: s.disable(t, "told to"),
    "pause": lambda s, t: s.pause(t, "somebody"),
    "resume": lambda s, t: s.resume(t, "somebody"),
    "reset": lambda s, t: s.reset(t),
    "fault": lambda s, t: s.fault(t, "broken"),
    "at start": lambda s, t: s.at_start(t),
    "hold": lambda s, t: s.hold(t, "missing"),
    "hold until clear": lambda s, t: s.hold(t, "missing", seen=True),
    "clear": lambda s, t: s.clear(t),
    "run": lambda s, t: s.run(t),
    "wait": lambda s, t: s.wait(t, "switch"),
    "expire": lambda s, t: s.expire(t),
}
MAY_LEAD_TO = {
    State.DISABLED: {State.READY, State.MOVE_TO_START},
    State.MOVE_TO_START: {State.READY, State.HOLD, State.PAUSED, State.DISABLED, State.FAULT},
    State.READY: {State.RUN, State.HOLD, State.PAUSED, State.DISABLED, State.FAULT},
    State.RUN: {State.READY, State.HOLD, State.PAUSED, State.DISABLED, State.FAULT},
    State.HOLD: set(State) - {State.HOLD},
    State.PAUSED: {State.READY, State.MOVE_TO_START, State.DISABLED, State.FAULT},
    State.FAULT: {State.DISABLED},
}


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), st.floats(0, 20)), max_size=60))
def test_only_the_drawn_ways_exist_and_only_a_reset_leaves_fault(
    events: list[tuple[str, float]],
) -> None:
    supervisor, now = Supervisor(hold_limit=10.0, ready_limit=30.0), 0.0
    for name, later in events:
        now += later
        before = supervisor.state
        EVENTS[name](supervisor, now)
        after = supervisor.state
        assert after is before or after in MAY_LEAD_TO[before], (before, name, after)
        if before is State.FAULT and after is not State.FAULT:
            assert name == "reset"
        if before in SILENT and after not in SILENT:
            assert name.startswith("enable") or name == "resume"
        assert bool(supervisor.faults) == (after is State.FAULT)


MESSAGES: dict[str, Callable[[World], Any]] = {
    "sensors": lambda w: w.sense(),
    "sensors lost": lambda w: setattr(w, "sensing", False),
    "sensors back": lambda w: setattr(w, "sensing", True),
    "plan": lambda w: w.executor.on_plan(w.plan(MIDDLE + 0.05)),
    "bad plan": lambda w: w.executor.on_plan(replace(w.plan(), stamp=np.nan)),
    "empty plan": lambda w: w.executor.on_plan(w.plan(positions=[], times=[])),
    "switch": lambda w: w.switch("sorting"),
    "enable": lambda w: w.executor.enable(),
    "disable": lambda w: w.executor.disable(),
    "pause": lambda w: w.executor.pause(),
    "resume": lambda w: w.executor.resume(),
    "deadman": lambda w: w.executor.on_deadman(),
    "intruder": lambda w: w.executor.on_publishers("/kuavo_arm_traj", ["/other"]),
    "intruder gone": lambda w: w.executor.on_publishers("/kuavo_arm_traj", []),
    "time": lambda w: w.run(0.3),
    "long time": lambda w: w.run(1.2),
    "time set back": lambda w: setattr(w, "now", w.now - 1.0),
}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(sorted(MESSAGES)), max_size=25))
def test_no_sequence_of_messages_brings_a_faulted_robot_back_into_motion(
    messages: list[str],
) -> None:
    world = World(ExecutorSettings(hold_limit=1.0)).running()
    world.executor.on_plan(world.plan(positions=np.full((20, 16), np.nan)))
    assert world.state == "fault"
    for message in messages:
        MESSAGES[message](world)
        world.tick()
        assert world.state == "fault"
        assert world.sent[-1].arms is None or (np.abs(world.sent[-1].arms - MIDDLE) < 1e-3).all()


def test_reset_says_what_it_forgets_and_ends_disabled() -> None:
    supervisor = Supervisor(1.0, 1.0)
    supervisor.enable(0.0, False, [])
    supervisor.fault(0.0, "first")
    supervisor.fault(0.0, "second")
    assert supervisor.enable(0.0, False, []) == (
        False, "faulted: second; reset the fault first")
    assert supervisor.reset(1.0) == (True, "reset: first; second")
    assert supervisor.state is State.DISABLED
    assert supervisor.reset(1.0)[0] is False


def test_holds_are_counted_by_what_they_were_for() -> None:
    assert reason_kind("/odom is 0.31 s old, 0.30 s are allowed") == reason_kind(
        "/odom is 0.45 s old, 0.30 s are allowed")
