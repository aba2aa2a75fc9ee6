"""/diagnostics: OK, WARN and ERROR at their bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_deploy.executor.figures import ExecutorFigures
from kuavo_deploy.executor.histogram import Histogram
from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.policy.observations import ObservationBuffer, ObservationSettings
from kuavo_deploy.safety import health
from kuavo_deploy.safety.health import Finding, Level
from kuavo_deploy.safety.states import State

from .world import World

EPS = 1e-9


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (0.0, Level.OK), (0.5, Level.OK), (0.5 + EPS, Level.WARN), (1.0, Level.WARN),
        (1.0 + EPS, Level.ERROR), (np.inf, Level.ERROR), (np.nan, Level.ERROR),
        (None, Level.ERROR),
    ],
)  # fmt: skip
def test_ages_and_latencies_warn_above_half_of_their_limit(
    value: float | None, level: Level
) -> None:
    assert health.age("/odom", value, 1.0).level is level
    if value is not None:
        assert health.latency(value, 1.0).level is level


@pytest.mark.parametrize(
    ("rate", "level"),
    [(120, Level.OK), (95.0 + EPS, Level.OK), (95.0 - EPS, Level.WARN), (80.0 + EPS, Level.WARN),
     (80.0 - EPS, Level.ERROR), (0.0, Level.ERROR)],
)  # fmt: skip
def test_the_rate_warns_when_commands_are_missing(rate: float, level: Level) -> None:
    found = health.rate(rate, 100.0)
    assert found.level is level
    assert bool(found.text) == (level is not Level.OK)


def test_states_have_levels_and_the_worst_finding_counts_with_every_text() -> None:
    levels = {state: health.state(state, "because").level for state in State}
    assert levels == {
        State.RUN: Level.OK, State.READY: Level.OK, State.MOVE_TO_START: Level.OK,
        State.HOLD: Level.WARN, State.PAUSED: Level.WARN, State.DISABLED: Level.WARN,
        State.FAULT: Level.ERROR,
    }  # fmt: skip
    worst = health.together([
        Finding(Level.OK, "run: executing"), Finding(Level.WARN, "slow"), Finding(Level.OK, ""),
    ])  # fmt: skip
    assert worst == (Level.WARN, "run: executing; slow")
    assert health.together([]) == (Level.OK, "")


def test_the_executor_tells_its_rate_its_sensors_age_and_its_plan_s() -> None:
    settings = ExecutorSettings(joints_max_age=0.2, plan_max_age=1.0, hold_limit=60)
    world = World(settings).running()
    world.run(0.4)
    assert world.executor.health() == (Level.OK, "run: executing")
    world.run(0.3)
    found = world.executor.health()
    assert found.level is Level.WARN and "age of the plan 0.7" in found.text
    world.executor.on_plan(world.plan())
    world.sensing = False
    world.run(0.15)
    found = world.executor.health()
    assert found.level is Level.WARN and "age of /sensors_data_raw" in found.text
    world.run(0.1)
    found = world.executor.health()
    assert found.level is Level.ERROR and found.text.startswith("hold: /sensors_data_raw is")
    world.sensing = True
    world.executor.on_plan(world.plan())
    world.tick(50, late=0.01)
    found = world.executor.health()
    assert found.level is Level.ERROR and "of 100 commands/s" in found.text


def test_the_policy_tells_its_sources_ages() -> None:
    buffer = ObservationBuffer(["head_cam_h"], ObservationSettings(default_max_age=0.4))
    assert buffer.health(10.0).text.startswith("age of head_cam_h is not known")
    buffer.on_image("head_cam_h", b"", 10.0, 10.0)
    buffer.on_joints([0.0] * 28, 10.0, 10.0)
    buffer.on_hands(np.zeros(2), 10.0, 10.0)
    assert buffer.health(10.2) == (Level.OK, "")
    assert buffer.health(10.3).level is Level.WARN
    assert buffer.health(10.5).level is Level.ERROR


@given(st.lists(st.floats(0, 0.15), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_quantiles_are_right_to_a_bin(values: list[float], share: float) -> None:
    histogram = Histogram(5e-5, 4000)
    for value in values:
        histogram.add(value)
    true = float(np.quantile(values, share, method="inverted_cdf"))
    assert true - 1e-12 <= histogram.quantile(share) <= true + 5e-5 + 1e-12


def test_jitter_and_rate_are_those_of_the_ticks() -> None:
    figures = ExecutorFigures(0.01)
    now = 0.0
    figures.ticked(now)
    for late in [0.0] * 98 + [0.004, -0.004]:
        now += 0.01 + late
        figures.ticked(now)
    summary = figures.summary()
    assert summary["rate [Hz]"] == pytest.approx(100, abs=0.5)
    assert summary["jitter p50 [ms]"] < 0.06
    assert summary["jitter max [ms]"] == pytest.approx(4.0)
    assert summary["ticks"] == 100
