"""The wrapper: raw observation in, robot units out, by the same path as training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kuavo_deploy.robot.layout import STATE_DIM
from kuavo_train.checkpoint.reader import open_checkpoint
from kuavo_train.episodes.samples import Draw, Samples
from kuavo_train.episodes.table import open_table
from kuavo_train.errors import DataError
from kuavo_train.policy.preprocessing import image_tensor, observation_tensors, stacked
from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper

from .conftest import STAGES
from .recordings import record


@pytest.fixture(scope="module")
def policy(trained):
    run, _ = trained
    return SmolVLAPolicyWrapper.from_pretrained(run.output / STAGES[3] / "best", device="cpu")


@pytest.fixture(autouse=True)
def forget(policy):
    policy.reset()


def observation(task="weigh it", seed=0):
    rng = np.random.default_rng(seed)
    names = ("head_cam_h", "wrist_cam_l", "wrist_cam_r")
    images = {
        f"observation.images.{n}": rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for n in names
    }
    return {**images, "observation.state": rng.normal(size=STATE_DIM), "task": task}


def noise(seed=0, count=1):
    return torch.randn(count, 6, 32, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("video", [False, True], ids=["images", "video"])
def test_training_and_the_robot_preprocess_bit_for_bit_alike(policy, tasks, tmp_path, video):
    """A recorded frame through the training loader and through the wrapper."""
    table = open_table(tasks["weighing"], record(tasks["weighing"], tmp_path / "d", 2, video=video),
                       tasks, 10)  # fmt: skip
    draws = [Draw("weighing", row, 0) for row in (0, 7, 12)]
    samples = Samples({"weighing": table}, 6, policy._size)
    trained = policy._preprocessor(stacked([samples[d] for d in draws]))
    for place, d in enumerate(draws):
        item = table.dataset[d.row]
        raw = {name: item[name] for name in policy.cameras}
        live = {  # as a camera gives it: uint8, height × width × channels
            name: (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
            for name, image in raw.items()
        }
        for images in (raw, live):
            batch = policy.preprocess(
                {
                    **images,
                    "observation.state": item["observation.state"],
                    "task": tasks["weighing"].instruction,
                }
            )
            for name in (
                *policy.cameras,
                "observation.state",
                "observation.language.tokens",
                "observation.language.attention_mask",
            ):
                assert torch.equal(batch[name][0], trained[name][place]), name


def test_letterbox_equals_lerobots_own(policy):
    """What lerobot would do with the raw image inside the policy."""
    image = torch.rand(3, 45, 81)
    ours = image_tensor(image, policy._size)
    config = policy.policy.config
    name = policy.cameras[0]
    batch = dict.fromkeys(policy.cameras, image[None])
    stock = policy.policy.prepare_images(batch)[0][0][0]
    mine = policy.policy.prepare_images(dict.fromkeys(policy.cameras, ours[None]))[0][0][0]
    assert tuple(config.resize_imgs_with_padding) == policy._size
    assert torch.equal(stock, mine), name


def test_images_of_any_size_are_one_batch(policy):
    one, two = observation(), observation()
    two["observation.images.wrist_cam_l"] = np.zeros((480, 640, 3), np.uint8)
    both = stacked([observation_tensors(o, policy.cameras, policy._size) for o in (one, two)])
    assert both["observation.images.wrist_cam_l"].shape == (2, 3, 32, 32)


def test_robot_units_come_out(policy):
    """The same chunk as lerobot's, times the chain's deviation, plus its mean."""
    chunk = policy.predict_action_chunk(observation(), noise())
    inner = policy.policy.predict_action_chunk(policy.preprocess(observation()), noise=noise())[0]
    action = open_checkpoint(policy.path).statistics.values["action"]
    expected = inner * torch.from_numpy(action["std"]) + torch.from_numpy(action["mean"])
    torch.testing.assert_close(chunk, expected)
    torch.testing.assert_close(policy.normalize_actions(chunk), inner, atol=1e-5, rtol=1e-5)


def test_batches_equal_single_observations(policy):
    singles = [observation("a", 0), observation("b", 1)]
    batch = {k: [o[k] for o in singles] for k in singles[0]}
    batch = {k: v if k == "task" else np.stack(v) for k, v in batch.items()}
    chunks = policy.predict_action_chunk(batch, noise(count=2))
    assert chunks.shape == (2, 6, 20)
    for i, one in enumerate(singles):
        alone = policy.predict_action_chunk(one, noise(count=2)[i : i + 1])
        torch.testing.assert_close(chunks[i], alone, atol=1e-5, rtol=1e-4)
    assert policy.select_action(batch).shape == (2, 20)
    told = policy.predict_action_chunk({**batch, "task": ["a", "a"]}, noise(count=2))
    assert torch.equal(told, policy.predict_action_chunk({**batch, "task": "a"}, noise(count=2)))


def test_select_action_walks_through_the_chunk_and_plans_again(policy):
    chunk = policy.predict_action_chunk(observation(), noise())
    assert policy.n_action_steps == 4
    for step in range(4):
        assert torch.equal(policy.select_action(observation(), noise()), chunk[step])
    assert torch.equal(policy.select_action(observation(), noise(1)),
                       policy.predict_action_chunk(observation(), noise(1))[0])  # fmt: skip


def test_a_new_instruction_drops_what_was_planned_for_the_old_one(policy):
    first, second = observation("weigh the parcel"), observation("sort the workpiece")
    policy.select_action(first, noise())
    switched = policy.select_action(second, noise())
    assert torch.equal(switched, policy.predict_action_chunk(second, noise())[0])
    rng = np.random.default_rng(0)
    policy.reset()
    told, planned, left = None, None, 0
    for turn in range(200):
        one = (first, second)[rng.integers(2)]
        action = policy.select_action(one, noise(turn))
        if one["task"] != told or left == 0:
            planned, left = policy.predict_action_chunk(one, noise(turn)), policy.n_action_steps
        assert torch.equal(action, planned[policy.n_action_steps - left])
        told, left = one["task"], left - 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observation.images.wrist_cam_r": None}, "lacks observation.images.wrist_cam_r"),
        ({"observation.state": np.zeros(14)}, "state has 16 numbers"),
        ({"observation.state": np.full(16, np.nan)}, "not finite"),
        ({"task": ""}, "must be a text"),
        ({"task": None}, "must be a text"),
        ({"task": "parcel " * 200}, "has .* tokens, the policy reads"),
        ({"observation.images.head_cam_h": np.zeros((48, 64), np.uint8)}, "three channels"),
        ({"observation.images.head_cam_h": np.zeros((48, 64, 3), np.int32)}, "uint8 or float"),
    ],
)
def test_bad_observations_are_named(policy, change, message):
    bad = {**observation(), **change}
    bad = {k: v for k, v in bad.items() if not ("images" in k and v is None)}
    with pytest.raises(DataError, match=message):
        policy.select_action(bad)


def test_a_batch_needs_one_instruction_each(policy):
    bad = {k: v if k == "task" else v[None] for k, v in observation().items()}
    bad["task"] = ["a", "b"]
    with pytest.raises(DataError, match="one instruction per observation"):
        policy.predict_action_chunk(bad)


def test_it_knows_its_instructions(policy, tasks):
    assert policy.instructions == {t.name: t.instruction for t in tasks.values()}


def test_no_instruction_of_the_curriculum_is_cut(policy, tasks):
    for task in tasks.values():
        batch = policy.preprocess(observation(task.instruction))
        tokens = batch["observation.language.tokens"][0][
            batch["observation.language.attention_mask"][0]
        ]
        assert policy._tokenizer.decode(tokens).strip() == task.instruction
