"""Joint paths are timed so that they start and end at rest and no joint is too fast."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kuavo_sim.env import CONTROL_HZ
from kuavo_sim.experts.paths import minimum_jerk_samples

JOINTS = 3
VELOCITY = np.array([1.0, 2.0, 3.0])


@settings(max_examples=60, deadline=None)
@given(
    path=st.integers(2, 12).flatmap(
        lambda n: arrays(float, (n, JOINTS), elements=st.floats(-2.0, 2.0, width=32))
    ),
    seconds=st.floats(0.0, 0.5),
)
def test_no_joint_is_faster_than_its_limit_and_the_path_is_run_to_its_end(path, seconds):
    targets = minimum_jerk_samples(path, np.full(len(path) - 1, seconds), VELOCITY)
    speed = np.abs(np.diff(np.vstack([path[:1], targets]), axis=0)) * CONTROL_HZ
    assert (speed <= VELOCITY * 1.001).all()
    assert np.allclose(targets[-1], path[-1])


def test_a_slow_path_takes_the_time_it_is_given():
    path = np.linspace([0.0, 0.0, 0.0], [0.1, 0.1, 0.1], 5)
    targets = minimum_jerk_samples(path, np.full(4, 0.5), VELOCITY)
    assert len(targets) == 2.0 * CONTROL_HZ
    assert np.allclose(targets[9], 0.05, atol=1e-6), "halfway after half the time"
    assert targets[0, 0] < 0.001, "starts at rest"
