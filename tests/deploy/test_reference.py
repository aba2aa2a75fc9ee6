"""Plans as smooth curves, and how one takes over from another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_deploy.executor.reference import Curve, PlanQueue
from kuavo_deploy.safety.checks import check_plan

from .world import MIDDLE, STEP, World

TIMES = np.array([1.0, 1.1, 1.3, 1.4, 1.7])
ACTIONS = np.random.default_rng(0).normal(size=(5, 16))


def test_a_curve_passes_through_every_action_at_its_time_and_holds_the_last() -> None:
    curve = Curve(TIMES, ACTIONS)
    for time, action in zip(TIMES, ACTIONS, strict=True):
        assert np.allclose(curve.at(time).action, action)
    for time in (1.7, 2.0, 100.0):
        assert (curve.at(time).action == ACTIONS[-1]).all()
        assert (curve.at(time).velocity == 0).all()
    assert (curve.at(0.0).action == ACTIONS[0]).all()


@given(st.floats(1.001, 1.69))
def test_a_curve_s_derivatives_are_its_derivatives(time: float) -> None:
    curve, h = Curve(TIMES, ACTIONS), 1e-5
    if np.abs(TIMES - time).min() < 2 * h:
        return
    before, here, after = (curve.at(t) for t in (time - h, time, time + h))
    assert np.allclose((after.action - before.action) / (2 * h), here.velocity, atol=1e-4)
    assert np.allclose((after.velocity - before.velocity) / (2 * h), here.acceleration, atol=1e-2)


def test_a_new_plan_takes_over_smoothly_within_the_blend() -> None:
    world = World()
    world.switch()
    queue = PlanQueue(blend=0.4)
    up = check_plan(world.plan(MIDDLE + 1.0, times=STEP * np.arange(1, 21)))
    standing = np.zeros(16)
    queue.add(up, world.now, standing)
    times = world.now + np.linspace(0, 0.6, 601)
    points = [queue.at(t) for t in times]
    weight = np.array([p.action[0] / up.actions[0, 0] for p in points if p])
    assert weight[0] == pytest.approx(0.0)
    assert (np.diff(weight) >= -1e-12).all()
    assert weight[times >= world.now + 0.4].min() == pytest.approx(1.0)
    velocity = np.array([p.velocity for p in points if p])
    assert np.abs(np.diff(velocity, axis=0)).max() < 0.1, "no step in velocity"


def test_a_third_plan_during_a_blend_does_not_jump() -> None:
    world = World()
    world.switch()
    queue = PlanQueue(blend=0.4)
    values = []
    for tick in range(100):
        now = world.now + 0.01 * tick
        if tick % 15 == 0:
            level = MIDDLE + np.sin(tick)
            queue.add(check_plan(world.plan(level, stamp=now)), now, np.zeros(16))
        point = queue.at(now)
        assert point is not None
        values.append(point.action)
    assert np.abs(np.diff(values, axis=0)).max() < 0.12


def test_the_base_is_neither_blended_nor_interpolated() -> None:
    world = World()
    world.switch()
    queue = PlanQueue(blend=0.4)
    queue.add(check_plan(world.plan(base=(0, 0, 0, 0))), world.now, np.zeros(16))
    poses = np.array([[3.0, 1.0, 3.1, 1.0]] * 10 + [[3.0, 1.0, -3.1, 1.0]] * 10)
    queue.add(check_plan(world.plan(base=poses)), world.now, np.zeros(16))
    assert queue.base_at(world.now + 0.05) == (3.0, 1.0, 3.1, 1.0)
    assert queue.base_at(world.now + 1.05) == (3.0, 1.0, -3.1, 1.0)
    queue.clear()
    assert queue.at(world.now) is None and queue.base_at(world.now) is None
