"""Temporal ensembling, execution chunk after chunk, boundaries, smoothness, limits, warping."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_deploy.robot.layout import ARM_INDICES
from kuavo_deploy.robot.version import load_limits
from kuavo_eval.metrics.boundaries import boundary_jumps
from kuavo_eval.metrics.parts import YAW
from kuavo_eval.metrics.smoothness import arm_speed, ldlj, sparc
from kuavo_eval.metrics.streams import executed, temporal_ensemble
from kuavo_eval.metrics.violations import Violations, violations
from kuavo_eval.metrics.warping import warped
from kuavo_train.tasks.registry import configs_root

FPS = 10.0


def oracle_chunks(actions: np.ndarray, steps: int) -> np.ndarray:
    rows = np.minimum(np.arange(len(actions))[:, None] + np.arange(steps), len(actions) - 1)
    return actions[rows]


@given(st.integers(1, 8), st.integers(1, 4))
def test_consistent_chunks_give_back_the_recording(steps, every):
    actions = np.random.default_rng(0).normal(size=(12, 20))
    actions[:, YAW] = np.linspace(2.9, 3.5, 12)
    every = min(every, steps)
    frames = np.arange(0, 12, every)
    chunks = oracle_chunks(actions, steps)[frames]
    np.testing.assert_allclose(temporal_ensemble(chunks, frames, 12), actions, atol=1e-12)
    stream, _ = executed(chunks, frames, 12, replan=every)
    np.testing.assert_array_equal(stream, actions)


def test_ensembling_weighs_older_predictions_more_by_exp_m():
    chunks = np.zeros((2, 2, 16))
    chunks[1] = 1.0
    stream = temporal_ensemble(chunks, np.array([0, 1]), 3, decay=0.5)
    assert stream[0, 0] == 0.0
    assert stream[1, 0] == pytest.approx(math.exp(-0.5) / (1 + math.exp(-0.5)))
    assert stream[2, 0] == 1.0


def test_ensembling_averages_yaw_across_pi():
    chunks = np.zeros((2, 2, 20))
    chunks[0, 1, YAW], chunks[1, 0, YAW] = math.pi - 0.1, -math.pi + 0.1
    yaw = temporal_ensemble(chunks, np.array([0, 1]), 2, decay=0.0)[1, YAW]
    assert yaw == pytest.approx(math.pi)


def test_what_nothing_predicted_is_nan():
    assert np.isnan(temporal_ensemble(np.zeros((1, 2, 16)), np.array([0]), 3)[2]).all()


def test_execution_takes_a_new_chunk_every_replan_and_jumps_there():
    frames = np.arange(6)
    chunks = frames[:, None, None] * np.ones((6, 4, 16))
    stream, boundaries = executed(chunks, frames, 6, replan=2)
    assert stream[:, 0].tolist() == [0, 0, 2, 2, 4, 4]
    assert boundaries.tolist() == [2, 4]
    assert boundary_jumps(stream, boundaries).tolist() == [2.0, 2.0]


def test_a_jump_is_the_step_at_the_boundary_not_the_way_of_two_steps():
    stream = np.zeros((4, 16))
    stream[:, 2] = [0.0, 0.5, 0.6, 0.6]
    assert boundary_jumps(stream, np.array([2])).tolist() == [pytest.approx(0.1)]


def test_hands_do_not_count_as_jumps():
    stream = np.zeros((4, 16))
    stream[2:, [7, 15]] = 1.0
    assert boundary_jumps(stream, np.array([2])).tolist() == [0.0]


def gaussian_speed(fps: float, seconds: float = 2.0) -> np.ndarray:
    t = np.arange(-seconds / 2, seconds / 2, 1 / fps)
    return np.exp(-5 * t**2)


def test_sparc_of_one_smooth_movement():
    """A Gaussian bell: −1.41403, as its authors' own implementation documents."""
    assert sparc(gaussian_speed(100), 100) == pytest.approx(-1.41403, abs=1e-5)
    assert sparc(gaussian_speed(20), 20) == pytest.approx(-1.414, abs=0.01)


def test_sparc_falls_with_every_submovement_and_with_trembling():
    one = gaussian_speed(100)
    apart = np.concatenate([one, one])
    trembling = one * (1 + 0.5 * np.sin(2 * np.pi * 7 * np.arange(len(one)) / 100))
    assert sparc(apart, 100) < sparc(one, 100) - 0.5
    assert sparc(trembling, 100) < sparc(one, 100) - 0.2


def test_sparc_looks_no_further_than_half_of_the_sampling_rate():
    speed = gaussian_speed(FPS)
    assert sparc(speed, FPS, cut_off=10.0) == sparc(speed, FPS, cut_off=5.0)


def test_sparc_of_the_same_movement_louder_is_the_same():
    assert sparc(3 * gaussian_speed(50), 50) == pytest.approx(sparc(gaussian_speed(50), 50))


def minimum_jerk_speed(fps: float) -> np.ndarray:
    s = np.arange(0, 1, 1 / fps)
    return 30 * s**2 - 60 * s**3 + 30 * s**4


def test_ldlj_of_a_minimum_jerk_movement():
    """Its speed v = 30(s² − 2s³ + s⁴): ∫ v̈² = 720 and a peak of 1.875: −ln(720 / 1.875²)."""
    assert ldlj(minimum_jerk_speed(1000), 1000) == pytest.approx(
        -math.log(720 / 1.875**2), abs=0.02
    )


def test_ldlj_of_a_bell():
    """−5.81636, as documented by the authors of both measures."""
    assert ldlj(gaussian_speed(100), 100) == pytest.approx(-5.81636, abs=1e-5)


def test_ldlj_falls_when_a_movement_trembles_and_ignores_its_size():
    speed = minimum_jerk_speed(100)
    noise = np.random.default_rng(0).normal(size=len(speed)) * 0.02
    assert ldlj(speed + noise, 100) < ldlj(speed, 100) - 2
    assert ldlj(5 * speed, 100) == pytest.approx(ldlj(speed, 100))


def test_a_movement_that_never_moves_has_no_smoothness():
    still = arm_speed(np.ones((20, 16)), FPS)
    assert math.isnan(sparc(still, FPS)) and math.isnan(ldlj(still, FPS))


def test_a_movement_with_gaps_has_no_smoothness():
    speed = gaussian_speed(FPS)
    speed[5:9] = np.nan
    assert math.isnan(sparc(speed, FPS)) and math.isnan(ldlj(speed, FPS))


def test_speed_is_of_the_arms_alone():
    stream = np.zeros((3, 20))
    stream[1:, 0] = 0.3
    stream[1:, 1] = 0.4
    stream[1:, [7, 15, 16]] = 9.0
    assert arm_speed(stream, FPS).tolist() == pytest.approx([5.0, 0.0])


def test_violations_count_commands_and_steps():
    limits = load_limits(45, configs_root() / "robot")
    middle = np.zeros(16)
    middle[list(ARM_INDICES)] = (limits.lower + limits.upper) / 2
    chunks = np.tile(middle, (2, 5, 1))
    assert violations(chunks, limits, FPS) == Violations(10, 8, 0, 0, 0)
    beyond = chunks.copy()
    beyond[0, 2, 0] = limits.upper[0] + 0.01
    fast = chunks.copy()
    fast[1, 3:, 8] += 1.001 * limits.velocity[7] / FPS
    quick = chunks.copy()
    quick[1, 3:, 8] += 0.999 * limits.velocity[7] / FPS
    open_hand = chunks.copy()
    open_hand[0, :, 7] = -0.2
    assert violations(beyond, limits, FPS).position == 1
    assert violations(fast, limits, FPS)[2:] == (0, 1, 0)
    assert violations(quick, limits, FPS)[2:] == (0, 0, 0)
    assert violations(open_hand, limits, FPS).hands == 5
    assert violations(beyond, limits, FPS) + violations(fast, limits, FPS) == Violations(
        20, 16, 1, violations(beyond, limits, FPS).velocity + 1, 0
    )


def test_warping_takes_a_delay_out_and_reports_it():
    t = np.arange(60) / FPS
    recorded = np.sin(t)[:, None]
    late = np.sin(t - 0.3)[:, None]
    plain = np.abs(late - recorded).mean()
    result = warped(late, recorded, FPS, window=1.0)
    assert result.error < plain / 4
    assert result.lag == pytest.approx(0.3, abs=0.1)
    assert result.timing == pytest.approx(0.3, abs=0.1)
    assert warped(recorded, late, FPS, window=1.0).lag == pytest.approx(-0.3, abs=0.1)


def test_warping_of_the_same_and_within_no_window():
    sequence = np.random.default_rng(0).normal(size=(20, 3))
    assert warped(sequence, sequence, FPS, 1.0) == (0.0, 0.0, 0.0)
    other = sequence + 1.0
    assert warped(other, sequence, FPS, 0.0).error == pytest.approx(math.sqrt(3))


def brute_force(distances: np.ndarray, i: int = 0, j: int = 0) -> float:
    rest = [
        brute_force(distances, a, b)
        for a, b in ((i + 1, j), (i, j + 1), (i + 1, j + 1))
        if a < distances.shape[0] and b < distances.shape[1]
    ]
    return float(distances[i, j]) + min(rest, default=0.0)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=5),
    st.lists(st.integers(0, 5), min_size=1, max_size=5),
)
def test_the_path_is_the_cheapest_of_all(one, other):
    from kuavo_eval.metrics.warping import _path

    distances = np.abs(np.subtract.outer(np.array(one, float), np.array(other, float)))
    path = _path(distances)
    assert distances[path[:, 0], path[:, 1]].sum() == pytest.approx(brute_force(distances))
    assert path[0].tolist() == [0, 0] and path[-1].tolist() == [len(one) - 1, len(other) - 1]
    assert set(map(tuple, np.diff(path, axis=0).tolist())) <= {(0, 1), (1, 0), (1, 1)}
