"""Arm actions measured from the joints: exact both ways, wherever actions come in or go out."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kuavo_deploy.robot.layout import ARM_INDICES, STATE_DIM
from kuavo_train.checkpoint.reader import load, open_checkpoint
from kuavo_train.errors import CheckpointError, TrainingError
from kuavo_train.policy.normalization import Statistics, from_data, relative_vectors
from kuavo_train.policy.relative import LEAST_GROWTH, growth_of, to_absolute, to_relative
from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper

from .conftest import STAGES

ARMS = list(ARM_INDICES)
OTHERS = [i for i in range(20) if i not in ARMS]
GROWTH = np.array([0.2, 0.5, 0.75, 1.0, 1.25, 1.5], np.float32)
ANGLES = st.floats(-4, 4, width=32)


@given(
    arrays.arrays(np.float32, (2, 5, 20), elements=ANGLES),
    arrays.arrays(np.float32, (2, STATE_DIM), elements=ANGLES),
    st.none() | arrays.arrays(np.float32, 6, elements=st.floats(0.125, 4, width=32)),
)
@settings(max_examples=50, deadline=None)
def test_there_and_back_is_the_same(actions, states, growth):
    chunk, state = torch.from_numpy(actions), torch.from_numpy(states)
    relative = to_relative(chunk, state, growth)
    assert torch.allclose(to_absolute(relative, state, growth), chunk, atol=1e-5)
    assert torch.equal(relative[..., OTHERS], chunk[..., OTHERS])
    steps = torch.ones(5) if growth is None else torch.from_numpy(growth[:5])
    assert torch.equal(
        relative[..., ARMS], (chunk[..., ARMS] - state[:, None, ARMS]) / steps[:, None]
    )
    assert np.array_equal(chunk.numpy(), actions), "the arguments are left alone"


def test_a_chunk_longer_than_the_statistics_is_an_error():
    with pytest.raises(ValueError, match="5 steps, where statistics know 4"):
        to_relative(torch.zeros(1, 5, 20), torch.zeros(1, STATE_DIM), GROWTH[:4])


def test_holding_still_is_zero():
    state = torch.randn(3, STATE_DIM)
    still = torch.zeros(3, 4, 20)
    still[..., ARMS] = state[:, None, ARMS]
    assert not to_relative(still, state).any()


def test_statistics_measure_every_step_from_the_state_its_chunk_is_planned_at():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(50, STATE_DIM)).astype(np.float32)
    chunks = rng.normal(size=(50, 6, 20)).astype(np.float32)
    statistics = from_data({"a": relative_vectors(states, chunks)}, relative=True)
    values, growth = statistics.values["action"], statistics.growth
    moved = chunks.copy()
    moved[..., ARMS] -= states[:, None, ARMS]
    moved[..., ARMS] /= growth[:, None]
    np.testing.assert_allclose(values["mean"], moved.mean(axis=(0, 1)), atol=1e-5)
    np.testing.assert_allclose(values["std"][ARMS], moved.std(axis=(0, 1))[ARMS], rtol=1e-4)


def test_growth_is_how_far_demonstrations_have_moved_by_each_step():
    """Each task counts the same; the mean square over a chunk is one; a still start has a floor."""
    rng = np.random.default_rng(0)
    reach = np.array([0.0, 0.1, 0.2, 0.4], np.float32)
    tasks = [rng.normal(size=(n, 4, 20)).astype(np.float32) for n in (4000, 400)]
    growth = growth_of([chunk * reach[:, None] for chunk in tasks])
    expected = reach / np.sqrt((reach**2).mean())
    np.testing.assert_allclose(growth[1:], expected[1:], rtol=0.02)
    assert growth[0] == np.float32(LEAST_GROWTH)
    assert (growth_of([np.zeros((3, 4, 20), np.float32)]) == 1).all()


def test_what_actions_measure_is_part_of_the_hash_and_of_the_file(trained, tmp_path):
    run, _ = trained
    file = run.output / "normalization.json"
    absolute = Statistics.from_json(file)
    relative = dataclasses.replace(absolute, relative=True)
    grown = dataclasses.replace(relative, growth=GROWTH)
    assert len({relative.hash, absolute.hash, grown.hash}) == 3
    (tmp_path / "grown.json").write_text(grown.to_json())
    again = Statistics.from_json(tmp_path / "grown.json")
    assert again.relative and np.array_equal(again.growth, GROWTH)
    content = json.loads(grown.to_json())
    for change in ({"relative": False}, {"growth": [0.5] * 6}):
        (tmp_path / "altered.json").write_text(json.dumps({**content, **change}))
        with pytest.raises(CheckpointError, match="altered"):
            Statistics.from_json(tmp_path / "altered.json")
    for growth in ([0.0] * 6, [float("nan")] * 6, [[1.0]]):
        (tmp_path / "altered.json").write_text(json.dumps({**content, "growth": growth}))
        with pytest.raises(CheckpointError, match="growth of relative actions is not usable"):
            Statistics.from_json(tmp_path / "altered.json")
    before = {k: v for k, v in json.loads(file.read_text()).items() if k != "relative"}
    (tmp_path / "before.json").write_text(json.dumps(before))
    assert Statistics.from_json(tmp_path / "before.json").hash == absolute.hash


@pytest.fixture(scope="module", params=[None, GROWTH], ids=["one scale", "by step"])
def both(request, trained):
    """The same weights and numbers, once with absolute and once with relative actions."""
    run, _ = trained
    opened = open_checkpoint(run.output / STAGES[3] / "best")
    relative = dataclasses.replace(
        opened,
        statistics=dataclasses.replace(opened.statistics, relative=True, growth=request.param),
    )
    wrappers = [SmolVLAPolicyWrapper(one, load(one, "cpu")) for one in (opened, relative)]
    return *wrappers, request.param


def observation(seed=0, rows=None):
    rng = np.random.default_rng(seed)
    lead = () if rows is None else (rows,)
    names = ("head_cam_h", "wrist_cam_l", "wrist_cam_r")
    images = {
        f"observation.images.{n}": rng.integers(0, 255, (*lead, 48, 64, 3), dtype=np.uint8)
        for n in names
    }
    state = rng.normal(size=(*lead, STATE_DIM)).astype(np.float32)
    return {**images, "observation.state": state, "task": "weigh it"}


def noise(count=1):
    return torch.randn(count, 6, 32, generator=torch.Generator().manual_seed(0))


def shifted(actions, state, growth):
    return to_absolute(actions, torch.as_tensor(state), growth)


def test_the_joints_are_added_to_what_the_policy_gives(both):
    absolute, relative, growth = both
    seen = observation()
    chunk = absolute.predict_action_chunk(seen, noise())
    expected = shifted(chunk, seen["observation.state"], growth)
    assert torch.allclose(relative.predict_action_chunk(seen, noise()), expected, atol=1e-6)


def test_each_of_a_batch_by_its_own_joints(both):
    absolute, relative, growth = both
    seen = observation(rows=3)
    expected = absolute.predict_action_chunk(seen, noise(3))
    expected = shifted(expected, seen["observation.state"], growth)
    chunk = relative.predict_action_chunk(seen, noise(3))
    assert chunk.shape == (3, 6, 20) and torch.allclose(chunk, expected, atol=1e-6)


def test_in_two_halves_as_in_one(both):
    _, relative, _ = both
    seen = observation()
    whole = relative.predict_action_chunk(seen, noise())
    state = seen.pop("observation.state")
    relative.see(seen)
    assert torch.allclose(relative.act(state, noise()), whole, atol=1e-5)


@pytest.mark.parametrize("rows", [None, 2])
def test_a_chunk_continues_the_one_before_from_the_joints_of_now(both, rows):
    """What is left of a chunk is absolute; the sampler sees it measured like its own output."""
    absolute, relative, growth = both
    seen = observation(1, rows)
    state = torch.as_tensor(seen["observation.state"])
    lead = () if rows is None else (rows,)
    left = torch.randn(*lead, 4, 20, generator=torch.Generator().manual_seed(3))
    guided = {"inference_delay": 2, "execution_horizon": 4}
    chunk = relative.predict_action_chunk(
        seen, noise(rows or 1), relative.normalize_actions(left), **guided
    )
    # the same with absolute actions, of a robot whose joints are where the chunk starts counting
    measured = absolute.normalize_actions(to_relative(left, state, growth))
    expected = absolute.predict_action_chunk(seen, noise(rows or 1), measured, **guided)
    assert torch.allclose(chunk, shifted(expected, state, growth), atol=1e-5)
    free = relative.predict_action_chunk(seen, noise(rows or 1))
    assert (chunk - free).abs().max() > 1e-3, "the remainder was heeded"


def test_stages_train_on_relative_actions_and_report_robot_units(curriculum, recorded, tasks):
    curriculum.train("task1_moving_grasp", "normalization.relative=true")
    opened = open_checkpoint(curriculum.output / STAGES[0] / "best")
    assert opened.statistics.relative
    curriculum.train("task2_weighing", "normalization.relative=true")
    second = open_checkpoint(curriculum.output / STAGES[1] / "best")
    assert second.statistics.hash == opened.statistics.hash


def test_the_loss_of_a_relative_chain_is_that_of_relative_targets(both):
    """A chunk that holds still is the target (0 − mean) / deviation, at whatever joints."""
    _, relative, _ = both
    state = torch.randn(2, STATE_DIM)
    still = torch.zeros(2, 6, 20)
    still[..., ARMS] = state[:, None, ARMS]
    raw = {**{c: torch.zeros(2, 3, 32, 32) for c in relative.cameras},
           "observation.state": state, "action": still, "task": ["weigh it"] * 2}  # fmt: skip
    prepared = relative._preprocessor(raw)["action"]
    tensors = open_checkpoint(relative.path).statistics.tensors()["action"]
    expected = -tensors["mean"] / tensors["std"]
    assert torch.allclose(prepared, expected.expand(2, 6, 20), atol=1e-5)


def test_limits_know_no_relative_motions(curriculum):
    with pytest.raises(TrainingError, match="knows no relative motions"):
        curriculum.train(
            "task1_moving_grasp", "normalization=limits", "normalization.relative=true"
        )


def test_a_base_is_taken_as_it_was_trained(curriculum, trained):
    run, _ = trained
    base = f"policy.pretrained={run.output / STAGES[0] / 'best'}"
    with pytest.raises(TrainingError, match=r"relative is True, but the base .* with False"):
        curriculum.train(
            "task1_moving_grasp", base, "normalization=base", "normalization.relative=true"
        )
