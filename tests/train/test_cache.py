"""What is kept on disk gives the same losses, survives a kill, and is never used for another."""

from __future__ import annotations

import os
import shutil
import signal
import time
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kuavo_train.cache import filling
from kuavo_train.cache.live import errors_beside_prefix, prefix, seen, seen_images, seen_name, teach
from kuavo_train.cache.store import Layout, Store
from kuavo_train.checkpoint.reader import load, open_checkpoint
from kuavo_train.episodes.augmentation import Augmentation
from kuavo_train.errors import TrainingError
from kuavo_train.policy.flow_loss import FlowLoss, counted_elements, draw
from kuavo_train.policy.freezing import FreezingRule, apply_freezing

from .conftest import STAGES, Curriculum
from .recordings import hold_images, record

pytestmark = pytest.mark.xdist_group("train cache")  # they share a run

SETTINGS = ("training.steps_per_epoch=6", "sequential.stage1.epochs=1", "training.log_steps=1")
FREEZING = {"frames": "vision_only", "vision": "vision_only", "prefix": "expert_only"}


def losses(run):
    events = EventAccumulator(str(run.output / STAGES[0] / "tensorboard"))
    events.Reload()
    return [event.value for event in events.Scalars("train/loss")]


def weights(run, name="best"):
    return load_file(run.output / STAGES[0] / name / "model.safetensors")


def train(run, kind, *settings):
    folder = run.output.parent / "cache"
    run.train(STAGES[0], *SETTINGS, f"cache={kind}", f"cache.folder={folder}",
              f"freezing={FREEZING.get(kind, 'expert_only')}", *settings)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory, recorded, base_model):
    """`plain(*settings)`: the run without a cache, trained once; read it, don't write to it."""
    runs = {}

    def run(*settings):
        if settings not in runs:
            folder = tmp_path_factory.mktemp("plain") / "out"
            runs[settings] = Curriculum(folder, recorded, base_model)
            train(runs[settings], "none", *settings)
        return runs[settings]

    return run


# ------------------------------------------------------------------ the same training


@pytest.mark.parametrize("kind", ["frames", "vision", "prefix"])
def test_the_same_losses_and_weights_as_without(curriculum, plain, kind):
    without = plain(f"freezing={FREEZING[kind]}")
    train(curriculum, kind)
    exact = kind == "frames"
    assert losses(curriculum) == (losses(without) if exact else pytest.approx(losses(without)))
    one, two = weights(without), weights(curriculum)
    tolerance = 0 if exact else 2e-6
    assert all(torch.allclose(one[n], two[n], rtol=0, atol=tolerance) for n in one)


@pytest.mark.parametrize("kind", ["vision", "prefix"])
def test_several_augmented_views(curriculum, plain, kind):
    """The views are a property of the augmentation: with and without a cache the same ones."""
    views = ("augmentation=light", "augmentation.views=2")
    folder = train(curriculum, kind, *views)
    without = plain(f"freezing={FREEZING[kind]}", *views)
    assert losses(curriculum) == pytest.approx(losses(without))
    assert len(list(folder.glob(f"{kind}-*/moving_grasp"))) == 2


def test_frames_are_cached_under_any_augmentation(curriculum, plain):
    train(curriculum, "frames", "augmentation=light")
    assert losses(curriculum) == losses(plain("freezing=vision_only", "augmentation=light"))


def test_half_precision_is_close(curriculum, plain):
    train(curriculum, "prefix", "cache.dtype=bfloat16")
    without = plain("freezing=expert_only")
    assert losses(curriculum) == pytest.approx(losses(without), rel=0.02)
    assert losses(curriculum) != losses(without)


@pytest.fixture
def held(tmp_path, recorded, tasks):
    """A setting: task 1's cameras drew at every third frame, but for its first episode."""
    root = tmp_path / "held"
    hold_images(record(tasks["moving_grasp"], root / "moving_grasp", 8), [1] + [3] * 7)
    for task in ("weighing", "placement", "sorting"):
        (root / task).symlink_to(recorded / task)
    return f"data.root='{root}/{{name}}'"


@pytest.mark.parametrize("kind", ["frames", "prefix"])
def test_of_held_images_nothing_is_kept(curriculum, plain, kind, held):
    train(curriculum, kind, held)
    without = plain(f"freezing={FREEZING[kind]}", held)
    assert losses(curriculum) == pytest.approx(losses(without))
    log = (curriculum.output / "training.log").read_text()
    assert f"cache: {kind} of {10 + 7 * 4} frames, " in log


def test_the_frozen_part_is_not_run_again(curriculum, monkeypatch):
    """Not in training, and not at all in a second run: the first one's cache serves it."""
    folder = train(curriculum, "prefix")
    seen_rows = []
    real = filling.encoded
    monkeypatch.setattr(filling, "encoded", lambda *a: seen_rows.append(1) or real(*a))
    train(curriculum, "prefix", "overwrite=true")
    assert not seen_rows
    assert len(list(folder.iterdir())) == 1


# ------------------------------------------------------------------ the model beside the cache


@pytest.fixture
def policy(trained):
    run, _ = trained
    return load(open_checkpoint(run.output / STAGES[3] / "best"), "cpu").policy


@pytest.fixture
def batch(policy):
    generator = torch.Generator().manual_seed(0)
    count = 3
    mask = torch.arange(8) < torch.tensor([[8], [5], [3]])  # instructions of three lengths
    images = {n: torch.rand(count, 3, 32, 32, generator=generator)
              for n in policy.config.image_features}  # fmt: skip
    return {
        **images,
        "observation.state": torch.randn(count, 16, generator=generator),
        "action": torch.randn(count, policy.config.chunk_size, 20, generator=generator),
        "observation.language.tokens": torch.randint(9, 300, (count, 8), generator=generator),
        "observation.language.attention_mask": mask,
    }


def gradients(policy, run):
    policy.zero_grad(set_to_none=True)
    policy.train()
    loss = run()
    loss.sum().backward()
    return loss.detach(), {n: p.grad for n, p in policy.named_parameters() if p.grad is not None}


def test_losses_and_gradients_beside_the_prefix_are_those_of_the_whole_model(policy, batch):
    apply_freezing(policy, FreezingRule(expert_only=True))
    model, draws = FlowLoss(policy), draw(3, policy.config.chunk_size, 32, 0)
    counted = counted_elements(torch.zeros(3, policy.config.chunk_size, dtype=torch.bool),
                               torch.ones(20, dtype=torch.bool))  # fmt: skip
    stock_loss, stock = gradients(policy, lambda: model(batch, draws, counted))
    teach(policy)
    kept = prefix(policy, batch)
    assert not kept.requires_grad
    loss, ours = gradients(
        policy,
        lambda: errors_beside_prefix(policy, kept, batch, draws.noise, draws.time)[..., :20]
        .sum(dim=(1, 2)),
    )  # fmt: skip
    torch.testing.assert_close(loss, stock_loss, rtol=1e-5, atol=1e-5)
    assert ours.keys() == stock.keys()
    assert "model.state_proj.weight" in ours
    for name, gradient in stock.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-4, atol=1e-4, msg=name)


@pytest.mark.parametrize("connector", [True, False], ids=["connector frozen", "connector learns"])
def test_losses_and_gradients_beside_seen_images(policy, batch, connector):
    names = apply_freezing(policy, FreezingRule(vision_encoder=True, connector=connector))
    assert any(".connector." in name for name in names) == (not connector)
    model, draws = FlowLoss(policy), draw(3, policy.config.chunk_size, 32, 0)
    counted = torch.ones(3, policy.config.chunk_size, 20, dtype=torch.bool)
    stock_loss, stock = gradients(policy, lambda: model(batch, draws, counted))
    teach(policy)
    images, _ = policy.prepare_images(batch)
    cached = {k: v for k, v in batch.items() if k not in policy.config.image_features}
    for camera, image in zip(policy.config.image_features, images, strict=True):
        cached[seen_name(camera)] = seen(policy, image)
    assert seen_images(policy, batch) is None
    loss, ours = gradients(policy, lambda: model(cached, draws, counted))
    torch.testing.assert_close(loss, stock_loss, rtol=1e-5, atol=1e-5)
    assert ours.keys() == stock.keys()
    for name, gradient in stock.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-4, atol=1e-4, msg=name)


def test_a_taught_policy_samples_as_before(policy, batch):
    del batch["action"]
    noise = torch.randn(3, policy.config.chunk_size, 32)
    before = policy.predict_action_chunk(dict(batch), noise=noise)
    teach(policy)
    assert torch.equal(policy.predict_action_chunk(dict(batch), noise=noise), before)


# ------------------------------------------------------------------ what it is valid for


def folders(root):
    return {str(path.relative_to(root)) for path in root.glob("*/*")}


def test_other_weights_or_recordings_are_another_cache(curriculum, recorded, tmp_path):
    folder = train(curriculum, "prefix")
    first = folders(folder)
    shutil.copytree(recorded, tmp_path / "copy")
    train(curriculum, "prefix", f"data.root='{tmp_path}/copy/{{name}}'", "overwrite=true")
    assert folders(folder) == first  # a copy that keeps the files' times is the same
    file = next((tmp_path / "copy" / "moving_grasp" / "data").rglob("*.parquet"))
    os.utime(file, ns=(1, 1))
    train(curriculum, "prefix", f"data.root='{tmp_path}/copy/{{name}}'", "overwrite=true")
    second = folders(folder)
    assert len(second - first) == 1
    stored = load_file(curriculum.output / STAGES[0] / "best" / "model.safetensors")
    base = shutil.copytree(curriculum.output / STAGES[0] / "best", tmp_path / "other_base")
    name = next(n for n in stored if n.endswith("vision_model.post_layernorm.weight"))
    stored[name] += 1
    from safetensors.torch import save_file

    save_file(stored, base / "model.safetensors")
    train(curriculum, "prefix", f"policy.pretrained={base}", "overwrite=true")
    assert len(folders(folder) - second) == 1


@pytest.fixture(params=[1, 3], ids=["every frame drawn", "every third"])
def grown(request, tmp_path, recorded, tasks):
    """Settings for the recordings before and after two episodes of the first task were added."""
    settings = []
    for name, episodes in (("before", 8), ("after", 10)):
        root = tmp_path / name
        recording = record(tasks["moving_grasp"], root / "moving_grasp", episodes)
        hold_images(recording, [request.param] * episodes)
        for task in ("weighing", "placement", "sorting"):
            (root / task).symlink_to(recorded / task)
        settings.append(f"data.root='{root}/{{name}}'")
    return settings


def rows_of(folder):
    return {
        file.parent.parent.parent.name: np.memmap(file, np.float32, "r+")
        for file in folder.rglob("rows.bin")
    }


def computed_by(monkeypatch, run):
    rows = []
    real = filling.encoded
    monkeypatch.setattr(filling, "encoded", lambda *a: rows.append(len(a[0])) or real(*a))
    run()
    monkeypatch.setattr(filling, "encoded", real)
    return sum(rows)


def test_when_episodes_are_added_the_others_rows_stay(curriculum, grown, monkeypatch):
    before, after = grown
    folder = train(curriculum, "prefix", before)
    old = rows_of(folder)
    few = computed_by(monkeypatch, lambda: train(curriculum, "prefix", after, "overwrite=true"))
    (new,) = (rows for name, rows in rows_of(folder).items() if name not in old)
    shutil.rmtree(folder)
    all_ = computed_by(monkeypatch, lambda: train(curriculum, "prefix", after, "overwrite=true"))
    assert 0 < few < all_ / 2
    (fresh,) = rows_of(folder).values()
    np.testing.assert_allclose(new, fresh, atol=1e-5)


def test_rows_that_would_come_out_otherwise_now_are_not_believed(curriculum, grown, monkeypatch):
    """The same states and actions with other pictures, for instance."""
    before, after = grown
    folder = train(curriculum, "prefix", before)
    for rows in rows_of(folder).values():
        rows += 0.5
        rows.flush()
    anew = computed_by(monkeypatch, lambda: train(curriculum, "prefix", after, "overwrite=true"))
    shutil.rmtree(folder)
    all_ = computed_by(monkeypatch, lambda: train(curriculum, "prefix", after, "overwrite=true"))
    assert anew == all_


def test_the_cache_serves_the_whole_chain(curriculum):
    """The frozen weights are the same in every stage: stage 2 adds its own task's rows alone."""
    folder = train(curriculum, "prefix")
    before = folders(folder)
    curriculum.train(STAGES[1], "freezing=expert_only", "cache=prefix", f"cache.folder={folder}")
    new = folders(folder) - before
    assert [name.rpartition("/")[2] for name in new] == ["weighing"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("cache=prefix", "freezing=vision_only"), r"set freezing\.expert_only=true, or choose"),
        (("cache=vision", "freezing.vision_encoder=false"), r"set freezing\.vision_encoder=true"),
        (("cache=vision", "augmentation=light"), r"set augmentation\.views=4"),
        (("cache.kind=all",), "choose from none, frames, vision, prefix"),
    ],
)
def test_what_cannot_be_cached_says_what_can(curriculum, tmp_path, settings, message):
    with pytest.raises(TrainingError, match=message):
        curriculum.train(STAGES[0], f"cache.folder={tmp_path}/cache", *settings)
    assert not (tmp_path / "cache").exists()


def test_the_size_is_said_before_and_a_small_disk_refused(curriculum, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(TrainingError, match=r"needs .* GB more in .* free: set cache\.folder"):
        train(curriculum, "prefix")
    log = (curriculum.output / "training.log").read_text()
    assert "cache: prefix of 40 frames, " in log
    assert not list((curriculum.output.parent / "cache").glob("*/*"))


# ------------------------------------------------------------------ rows on disk


def test_rows_read_back_and_unwritten_ones_are_errors(tmp_path):
    layout = Layout(10, (3, 2), "float32")
    store = Store(tmp_path / "s", layout, {})
    rows = np.array([2, 7])
    store.write(rows, np.ones((2, 3, 2), np.float32))
    assert store.missing(np.arange(10)).tolist() == list(range(10))  # not flushed yet
    store.flush(rows)
    again = Store(tmp_path / "s", layout, {})
    assert again.missing(np.arange(10)).tolist() == [0, 1, 3, 4, 5, 6, 8, 9]
    assert np.array_equal(again[7], np.ones((3, 2)))
    with pytest.raises(KeyError, match="row 3 was not computed"):
        again[3]


def test_another_layout_is_refused(tmp_path):
    Store(tmp_path / "s", Layout(10, (3,), "float32"), {})
    with pytest.raises(TrainingError, match="remove the folder"):
        Store(tmp_path / "s", Layout(11, (3,), "float32"), {})
    (tmp_path / "s" / "rows.bin").write_bytes(b"short")
    with pytest.raises(TrainingError, match="remove the folder"):
        Store(tmp_path / "s", Layout(10, (3,), "float32"), {})


def _fill_forever(folder):
    store = Store(folder, Layout(4000, (100,), "float32"), {})
    for row in store.missing(np.arange(4000)):
        store.write(row, np.full((1, 100), row, np.float32))
        store.flush(np.array([row]))


def test_killed_while_it_fills_no_row_is_wrong(tmp_path):
    for wait in (0.02, 0.05, 0.1):
        process = get_context("fork").Process(target=_fill_forever, args=(tmp_path / "s",))
        process.start()
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    store = Store(tmp_path / "s", Layout(4000, (100,), "float32"), {})
    missing = set(store.missing(np.arange(4000)).tolist())
    assert len(missing) < 4000
    for row in set(range(4000)) - missing:
        assert (store[row] == row).all()


def test_fixed_views_of_a_row():
    image = torch.rand(3, 32, 32)
    two = Augmentation(enabled=True, views=2)
    shown = {tuple(two(image, two.seed(7, s)).flatten().tolist()) for s in range(20)}
    assert len(shown) == 2
    assert two.seed(7, 4) != two.seed(8, 4)
    assert Augmentation(enabled=True).seed(7, 4) == 4
