"""The feedback law: stable at every step, and its small sums are right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_deploy.safety.feedback import Sample, feedback_jerk, integrated, peak_speed

NUMBERS = st.floats(-10, 10)
ZERO = np.zeros(1)


@pytest.mark.parametrize("step", [1e-4, 0.002, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("bandwidth", [5.0, 20.0])
def test_all_three_poles_are_where_they_should_be(step: float, bandwidth: float) -> None:
    goal = Sample(ZERO, ZERO, ZERO)
    columns = []
    for unit in np.eye(3):
        now = Sample(*(np.array([v]) for v in unit))
        jerk = feedback_jerk(now, goal, step, bandwidth)
        columns.append([float(v[0]) for v in integrated(now, jerk, step)])
    closed_loop = np.array(columns).T
    z = math.exp(-bandwidth * step)
    # a triple root is found to a third of the digits only: compare the polynomial instead
    wanted = np.poly([z, z, z])
    scale = np.diag([1.0, step, step**2])
    found = np.poly(scale @ closed_loop @ np.linalg.inv(scale))
    assert np.allclose(found, wanted, atol=1e-9)


@given(NUMBERS, NUMBERS, NUMBERS, st.floats(1e-3, 0.5))
def test_the_peak_speed_is_that_of_the_whole_step(
    velocity: float, acceleration: float, jerk: float, step: float
) -> None:
    now = Sample(ZERO, np.array([velocity]), np.array([acceleration]))
    t = np.linspace(0, step, 1001)
    speeds = np.abs(velocity + acceleration * t + jerk * t**2 / 2)
    found = float(peak_speed(now, np.array([jerk]), step)[0])
    assert found >= speeds.max() - 1e-9
    assert found <= speeds.max() + 1e-4
