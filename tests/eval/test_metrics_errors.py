"""Errors per joint, horizon curves, normalization, skill, baselines: known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kuavo_deploy.robot.layout import MOVE
from kuavo_eval.metrics.baselines import NearestDemonstration, along, hold, mean_trajectory
from kuavo_eval.metrics.differences import differences, unwrapped_yaw
from kuavo_eval.metrics.horizon import HorizonErrors
from kuavo_eval.metrics.normalized_error import (
    demonstrated_spread,
    frame_errors,
    moved_joints,
    normalized,
)
from kuavo_eval.metrics.parts import YAW, part_means, parts_of
from kuavo_eval.metrics.skill import skill


def chunk(value: float, frames=1, steps=4, dim=16) -> np.ndarray:
    return np.full((frames, steps, dim), value)


def test_arms_hands_and_base_are_apart():
    assert parts_of(16).keys() == {"arms", "hands"}
    assert parts_of(20)["base"] == [16, 17, 18, 19]
    values = np.zeros(20)
    values[[7, 15]] = 0.5
    values[16:] = [1, 2, 3, 6]
    values[0] = np.nan
    assert part_means(values) == {"arms": 0.0, "hands": 0.5, "base": 3.0}
    assert math.isnan(part_means(np.full(16, np.nan))["arms"])


def test_yaw_differs_by_the_shorter_way():
    recorded, predicted = np.zeros(20), np.zeros(20)
    recorded[YAW], predicted[YAW] = math.pi - 0.1, -math.pi + 0.1
    recorded[0], predicted[0] = 3.0, -3.0
    found = differences(predicted, recorded)
    assert found[YAW] == pytest.approx(0.2)
    assert found[0] == -6.0


def test_a_prediction_of_20_numbers_is_compared_on_the_16_recorded():
    assert differences(np.ones(20), np.zeros(16)).shape == (16,)


def test_horizon_counts_only_targets_inside_the_episode():
    recorded, predicted = chunk(0.0, frames=2), chunk(0.0, frames=2)
    predicted[:, 2] = 1.0
    predicted[1, 3] = 100.0  # past the end: must not count
    valid = np.array([[True, True, True, True], [True, True, True, False]])
    errors = HorizonErrors.of(predicted, recorded, valid)
    assert errors.counts.tolist() == [2, 2, 2, 1]
    assert errors.curve()[:, 0].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert errors.per_joint()[0] == pytest.approx(2 / 7)
    assert errors.first(2).per_joint()[0] == 0.0


def test_horizon_sums_add_up_as_if_they_were_one_set():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 4, 20))
    valid = rng.random((5, 4)) < 0.7
    whole = HorizonErrors.of(a, b, valid)
    parts = HorizonErrors.of(a[:2], b[:2], valid[:2]) + HorizonErrors.of(a[2:], b[2:], valid[2:])
    np.testing.assert_allclose(parts.curve(), whole.curve())


def test_a_step_that_no_episode_reaches_has_no_error():
    errors = HorizonErrors.of(chunk(1.0), chunk(0.0), np.array([[True, True, False, False]]))
    assert np.isnan(errors.curve()[2:]).all()


def test_normalized_error_is_mae_over_the_demonstrated_range():
    actions = np.zeros((101, 16))
    actions[:, 3] = np.linspace(0, 1, 101)  # q05 = 0.05, q95 = 0.95
    spread = demonstrated_spread([actions])
    assert spread[3] == pytest.approx(0.9)
    result = normalized(np.full(16, 0.09), spread)
    assert result[3] == pytest.approx(0.1)
    assert np.isnan(np.delete(result, 3)).all(), "joints that stand still have no scale"


def test_a_joint_that_rests_elsewhere_in_each_episode_is_not_moved():
    rest, move = np.zeros((2, 50, 16)), np.linspace(0, 1, 50)
    rest[1, :, 0] = 0.8
    rest[:, :, 3] = move
    assert demonstrated_spread(list(rest))[0] == pytest.approx(0.8)
    assert moved_joints(list(rest)).nonzero()[0].tolist() == [3]


def test_a_joint_that_moved_in_one_episode_of_three_is_not_moved():
    episodes = np.zeros((3, 50, 16))
    episodes[:, :, 3] = np.linspace(0, 1, 50)
    episodes[1, :, 5] = np.linspace(0, 1, 50)  # somebody bumped into it
    assert moved_joints(list(episodes)).nonzero()[0].tolist() == [3]


def test_error_of_a_frame_is_over_moved_joints_and_counted_steps():
    spread = np.zeros(16)
    spread[[3, 7]] = 0.5, 1.0
    predicted = chunk(0.0)
    predicted[0, :2, 3] = 0.1  # 0.2 of its range
    predicted[0, :2, 7] = 0.4
    predicted[0, :, 0] = 9.0  # stands still in the demonstrations
    predicted[0, 2:] = 9.0  # past the end
    valid = np.array([[True, True, False, False]])
    assert frame_errors(predicted, chunk(0.0), valid, spread).tolist() == [pytest.approx(0.3)]
    several = frame_errors(np.stack([predicted] * 3), chunk(0.0), valid, spread)
    assert several.shape == (3, 1)
    assert np.isnan(frame_errors(predicted, chunk(0.0), valid, np.zeros(16))).all()


def test_spread_of_a_yaw_that_turns_through_pi():
    actions = np.zeros((101, 20))
    turned = np.linspace(3.0, 3.5, 101)
    actions[:, YAW] = (turned + np.pi) % (2 * np.pi) - np.pi
    assert demonstrated_spread([actions])[YAW] == pytest.approx(0.45)
    assert np.ptp(unwrapped_yaw(actions)[:, YAW]) == pytest.approx(0.5)


def test_skill():
    assert skill(0.0, 0.2) == 1.0
    assert skill(0.2, 0.2) == 0.0
    assert skill(0.4, 0.2) == -1.0
    assert math.isnan(skill(0.0, 0.0))


def test_hold_stays_and_stands():
    states = np.arange(3.0)[:, None].repeat(16, 1)
    actions = 10 + np.arange(3.0)[:, None].repeat(20, 1)
    held = hold(states, actions, steps=5)
    assert held.shape == (3, 5, 20)
    assert (held[2, :, :16] == 2.0).all()
    assert (held[2, :, 16:19] == 11.0).all(), "the base stays where it was commanded last"
    assert (held[..., MOVE] == 0.0).all()


def test_mean_trajectory_keeps_the_last_action_of_shorter_demonstrations():
    mean = mean_trajectory([np.zeros((2, 16)), np.full((4, 16), 2.0) * [[0], [1], [1], [3]]], 5)
    assert mean[:, 0].tolist() == [0.0, 1.0, 1.0, 3.0, 3.0]
    chunks = along(mean, length=5, steps=2)
    assert chunks[2, :, 0].tolist() == [1.0, 3.0]
    assert chunks[4, :, 0].tolist() == [3.0, 3.0]


def test_the_nearest_demonstration_is_replayed_from_its_nearest_frame():
    states = [np.zeros((3, 16)), np.zeros((3, 16))]
    states[1][:, 4] = [0.5, 0.6, 0.7]
    actions = [np.zeros((3, 16)), np.arange(3.0)[:, None].repeat(16, 1)]
    nearest = NearestDemonstration(states, actions)
    query = np.zeros((1, 16))
    query[0, 4] = 0.62
    assert nearest.chunks(query, steps=3)[0, :, 0].tolist() == [1.0, 2.0, 2.0]
