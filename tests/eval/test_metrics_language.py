"""Flow sampling, instruction matrix, sensitivity, telling tasks apart by image: known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kuavo_eval.metrics.flow_sampling import flow_sampling
from kuavo_eval.metrics.image_identity import told_apart
from kuavo_eval.metrics.instruction_matrix import identification, moved_by, sensitivity

SCALE = np.ones(16)


def test_flow_sampling_of_two_samples():
    recorded = np.zeros((1, 2, 16))
    samples = np.stack([recorded + 0.1, recorded - 0.3])
    found = flow_sampling(samples, recorded, np.ones((1, 2), bool), [0, 1])
    assert found.mean.tolist() == [pytest.approx(0.2)]
    assert found.best.tolist() == [pytest.approx(0.1)]
    assert found.spread.tolist() == [pytest.approx(0.2)]


def test_the_best_sample_is_chosen_per_frame_and_padding_is_left_out():
    recorded = np.zeros((2, 2, 16))
    samples = np.zeros((2, 2, 2, 16))
    samples[0, 1] = samples[1, 0] = 1.0
    samples[:, :, 1] += 50.0
    valid = np.array([[True, False], [True, False]])
    found = flow_sampling(samples, recorded, valid, [3])
    assert found.mean.tolist() == [0.5, 0.5]
    assert found.best.tolist() == [0.0, 0.0]


def test_identification_is_one_only_where_the_own_instruction_is_alone_at_the_bottom():
    errors = np.array([[0.1, 0.2, 0.3, 0.4], [0.2, 0.1, 0.3, 0.4], [0.1, 0.1, 0.3, 0.4]])
    assert identification(errors, 0).tolist() == [1.0, 0.0, 0.5]


def test_a_policy_that_ignores_language_is_at_chance():
    errors = np.repeat(np.random.default_rng(0).random((50, 1)), 4, axis=1)
    for own in range(4):
        assert identification(errors, own).mean() == pytest.approx(0.25)


def test_perfect_actions_under_every_instruction_are_a_tie_too():
    assert identification(np.zeros((3, 4)), 2).tolist() == [0.25] * 3


def test_sensitivity_is_language_over_noise():
    own = np.zeros((5, 3, 16))
    by_language = moved_by(np.full((3, 5, 3, 16), 0.6), own, 2 * SCALE)
    by_noise = moved_by(np.full((4, 5, 3, 16), 0.2), own, 2 * SCALE)
    assert by_language.tolist() == [pytest.approx(0.3)] * 5
    assert sensitivity(by_language.sum(), by_noise.sum()) == pytest.approx(3.0)
    assert sensitivity(0.0, 0.1) == 0.0
    assert sensitivity(0.0, 0.0) == 0.0
    assert sensitivity(0.1, 0.0) == math.inf


def pictures(level: float, count: int, seed: int) -> np.ndarray:
    return level + np.random.default_rng(seed).normal(size=(count, 12))


def test_tasks_of_another_colour_are_told_apart_by_image():
    thumbnails = np.concatenate([pictures(level, 5, s) for s, level in enumerate((0, 0, 50, 50))])
    tasks = np.repeat([0, 0, 1, 1], 5)
    episodes = np.repeat(np.arange(4), 5)
    assert told_apart(thumbnails, tasks, episodes, 2)[0, 1] == 1.0


def test_tasks_that_look_the_same_are_at_chance():
    thumbnails = pictures(0, 400, 0)
    tasks = np.repeat([0, 1], 200)
    episodes = np.repeat(np.arange(8), 50)
    assert told_apart(thumbnails, tasks, episodes, 2)[0, 1] == pytest.approx(0.5, abs=0.1)


def test_a_frame_is_compared_with_other_episodes_only():
    """Each episode looks like itself and like one episode of the other task."""
    levels = (0, 50, 1, 51)  # episodes 0 and 1 are of one task, 2 and 3 of the other
    thumbnails = np.concatenate([pictures(level, 5, s) for s, level in enumerate(levels)])
    found = told_apart(thumbnails, np.repeat([0, 0, 1, 1], 5), np.repeat(np.arange(4), 5), 2)
    assert found[0, 1] == 0.0


def test_a_task_with_one_episode_cannot_be_judged():
    """Its frames would only look like themselves."""
    thumbnails = pictures(0, 15, 0)
    found = told_apart(thumbnails, np.repeat([0, 0, 1], 5), np.repeat([0, 1, 2], 5), 2)
    assert np.isnan(found).all()
