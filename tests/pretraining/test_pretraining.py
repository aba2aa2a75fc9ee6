"""Pretraining: the losses mean what they say, pointing is learned, a killed run goes on."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from kuavo_deploy.robot.topics import ACTION_FEATURE, CAMERAS, IMAGE_FEATURES, STATE_FEATURE
from kuavo_train.checkpoint.processors import make_processors
from kuavo_train.checkpoint.reader import load, open_checkpoint
from kuavo_train.errors import DataError, TrainingError
from kuavo_train.policy.flow_loss import FlowLoss, counted_elements, draw
from kuavo_train.pretraining.frames import Frames, split_shards
from kuavo_train.pretraining.heads import (
    SOFT,
    Pointed,
    VoteHead,
    class_loss,
    class_shares,
    distance,
    pointing_loss,
    vote_loss,
)
from kuavo_train.pretraining.phrases import (
    MOTIONS,
    POINT,
    STORIES,
    motion_phrase,
    names,
    story_phrase,
)
from kuavo_train.pretraining.run import PretrainingRun, pretrain
from kuavo_train.pretraining.settings import Settings, read_settings
from kuavo_train.tasks import load_tasks
from kuavo_train.tasks.registry import configs_root

from .conftest import SIZE, quick

pytestmark = pytest.mark.xdist_group("pretraining")  # they share frames and a run


@pytest.fixture
def fresh(squares, architectures, tmp_path):
    """`fresh(**settings)` begins a run, or goes on with it."""

    def begin(**changes) -> PretrainingRun:
        return PretrainingRun(squares, tmp_path / "work", quick(**changes), architectures)

    return begin


def test_errors_are_those_of_lerobots_own_forward(fresh, squares):
    run = fresh()
    model, policy = run.model, run.model.policy
    batch = run._frames.batch(5, 1, 3)
    words, mask = run._inputs.words(batch.phrases)
    seen = model.look(batch.images)
    read = model.read(seen, words, mask, run._inputs.states(batch.states))
    draws = draw(5, batch.chunks.shape[1], 32, 1)
    rows = torch.arange(5)
    mine = model.flow_errors(read, rows, run._inputs.actions(batch.chunks), draws)
    preprocess, _ = make_processors(policy.config, run._statistics)
    raw = {IMAGE_FEATURES[c]: batch.images[:, i] for i, c in enumerate(CAMERAS)}
    raw |= {STATE_FEATURE: batch.states, ACTION_FEATURE: batch.chunks, "task": batch.phrases}
    counted = counted_elements(torch.zeros(batch.chunks.shape[:2], dtype=torch.bool),
                               torch.ones(20, dtype=torch.bool))  # fmt: skip
    theirs = FlowLoss(policy)(preprocess(raw), draws, counted)
    torch.testing.assert_close(mine.sum(dim=(1, 2)), theirs, rtol=1e-4, atol=1e-4)


def test_noise_samples_share_a_prefix(fresh):
    run = fresh()
    batch = run._frames.batch(2, 2, 1)
    words, mask = run._inputs.words(batch.phrases)
    read = run.model.read(
        run.model.look(batch.images), words, mask, run._inputs.states(batch.states)
    )
    draws = draw(4, batch.chunks.shape[1], 32, 1)
    rows, actions = torch.tensor([1, 3]), run._inputs.actions(batch.chunks[[1, 3]])
    both = run.model.flow_errors(read, rows, actions, draws)
    first = run.model.flow_errors(read, rows, actions, draws.rows(slice(0, 2)))
    second = run.model.flow_errors(read, rows, actions, draws.rows(slice(2, 4)))
    torch.testing.assert_close(both, torch.cat([first, second]))


def test_pointing_loss_is_the_distance_where_the_thing_can_be_seen():
    places = torch.tensor([[[0.5, 0.25], [0.0, 0.0]]])
    visible = torch.tensor([[True, False]])
    sure = torch.full((1, 2, 17), -50.0)
    sure[0, 0, 2 * 4 + 3] = sure[0, 1, 16] = 50.0  # the token of the place; 'not here'
    exact = Pointed(places.clone(), sure)
    assert pointing_loss(exact, places, visible, 4) < 1e-4
    off = Pointed(places + torch.tensor([0.1, 0.0]), sure)
    expected = np.hypot(0.1, SOFT) - SOFT
    assert float(pointing_loss(off, places, visible, 4)) == pytest.approx(2 * expected, abs=1e-4)
    torch.testing.assert_close(exact.seen, torch.tensor([[1.0, 0.0]]), atol=1e-4, rtol=0)


def test_a_small_distance_still_pulls():
    near = torch.tensor([0.05, 0.0], requires_grad=True)
    distance(near, torch.zeros(2)).backward()
    assert near.grad[0] > 0.9, "the square's gradient would be 0.1"


def test_a_patch_votes_for_the_nearest_thing_of_the_kind_that_it_shows():
    head = VoteHead(8, 2, 2)
    assert torch.equal(head(torch.randn(1, 4, 8))[0], head.grid), "each for itself, at first"
    kinds = torch.tensor([[3, 3, 5, -1]])
    nothing = float("nan")
    middles = torch.tensor([[[-0.5, -0.5], [0.5, 0.5], [nothing] * 2, [nothing] * 2]])
    shows = torch.full((1, 16), -1)
    shows[0, 0] = shows[0, 15] = 3  # two things of kind 3: top left, bottom right
    shows[0, 1] = 5  # its thing cannot be seen
    shows[0, 2] = 7  # no such thing
    votes = head.grid[None].clone().requires_grad_()
    off = np.hypot(np.hypot(0.25, 0.25), SOFT) - SOFT
    loss = vote_loss(votes, head.grid, kinds, middles, shows)
    assert float(loss.detach()) == pytest.approx(off, abs=1e-5)
    loss.backward()
    assert votes.grad[0, [0, 15]].abs().min() > 0 and not votes.grad[0, 1:15].any()
    none = vote_loss(votes, head.grid, kinds, middles, torch.full((1, 16), -1))
    assert float(none.detach()) == 0.0


def test_votes_are_laid_out_like_the_encoders_patches():
    """Token 1 is the top right one; its four votes are patches 2, 3, 6 and 7 of a 4×4 grid."""
    head = VoteHead(8, 2, 2)
    head.vote.bias.data = torch.arange(8.0)
    moved = (head(torch.randn(1, 4, 8)) - head.grid)[0]
    for row, column in ((0, 2), (0, 3), (1, 2), (1, 3)):
        place = 2 * (row * 2 + column - 2)
        torch.testing.assert_close(moved[row * 4 + column], torch.tensor([place, place + 1.0]))


def test_shares_of_classes_in_patches():
    classes = torch.zeros(1, 16, 16, dtype=torch.long)
    classes[0, :8, :4] = 2  # half of the first patch
    classes[0, 8:, 8:] = 255
    shares, counted = class_shares(classes, 8, 3)
    torch.testing.assert_close(shares[0, 0], torch.tensor([0.5, 0.0, 0.5]))
    assert counted.tolist() == [[True, True, True, False]]
    right = (shares + 1e-9).log()
    assert class_loss(right, shares, counted) < class_loss(-right, shares, counted)


@pytest.mark.timeout(300)
def test_it_learns_to_point_at_what_the_phrase_names(fresh):
    run = fresh(
        steps=160, frames=12, queries=3, learning_rate=2e-2, flow_weight=0.0, stories=0.6
    )
    losses = [run.step(k) for k in range(160)]
    batch = run._held_out.batch(24, 2, 5)
    words, mask = run._inputs.words(batch.phrases)
    with torch.no_grad():
        seen = run.model.look(batch.images)
        read = run.model.read(seen, words, mask, run._inputs.states(batch.states))
    places = batch.places[batch.points]
    away = (read.pointed.places[batch.points] - places).norm(dim=-1) * SIZE / 2
    blind = (places - places.mean(0)).norm(dim=-1).median() * SIZE / 2
    assert float(away.median()) < 3.5 < 7 < float(blind)
    second = batch.points[:, 1]
    assert second.any()  # what is named second is found, too, and not what is named first
    apart = (read.pointed.places - batch.places)[second, 1].norm(dim=-1) * SIZE / 2
    swapped = (read.pointed.places[second, 1] - batch.places[second, 0]).norm(dim=-1) * SIZE / 2
    assert float(apart.median()) < 4 < 7 < float(swapped.median())
    assert np.mean([part["classes"] for part in losses[-5:]]) < 0.5 * losses[0]["classes"]


def test_a_stopped_run_goes_on_to_the_same_weights(squares, architectures, pretrained, tmp_path):
    def weights(folder):
        policy = load(open_checkpoint(folder), "cpu").policy
        return torch.cat([p.detach().flatten() for p in policy.parameters()])

    half = PretrainingRun(squares, tmp_path / "parts.training", quick(), architectures)
    half._settings.steps = 2
    half.train()
    pretrain(squares, tmp_path / "parts", quick(), architectures)
    assert torch.equal(weights(pretrained), weights(tmp_path / "parts"))


def test_a_base_model_is_a_start_too(fresh, pretrained):
    run = fresh(start=str(pretrained))
    base = load(open_checkpoint(pretrained), "cpu").policy.state_dict()
    for name, tensor in run.model.policy.state_dict().items():
        assert torch.equal(tensor, base[name]), name


def test_the_result_is_a_base_model_that_loads_offline(pretrained):
    checkpoint = open_checkpoint(pretrained)
    assert checkpoint.manifest.lineage.stage == "base"
    assert checkpoint.manifest.lineage.step == 4
    loaded = load(checkpoint, "cpu")
    names = dict(loaded.policy.named_parameters())
    assert not any("pointing" in name or "classes" in name for name in names)
    assert (pretrained.with_name("base.training") / "curves.png").is_file()


def test_other_settings_are_refused(squares, architectures, pretrained, tmp_path):
    shutil.copytree(pretrained.parent, tmp_path, dirs_exist_ok=True)
    with pytest.raises(TrainingError, match="queries 2 → 3"):
        pretrain(squares, tmp_path / "base", quick(queries=3), architectures)


def test_a_foreign_folder_is_not_overwritten(squares, architectures, tmp_path):
    (tmp_path / "base").mkdir()
    with pytest.raises(TrainingError, match="exists already"):
        pretrain(squares, tmp_path / "base", quick(), architectures)


def test_frames_of_another_size_are_refused(squares, tmp_path):
    with pytest.raises(TrainingError, match="32 px"):
        PretrainingRun(squares, tmp_path / "work", quick(architecture="nano"))


def test_no_frames_and_broken_frames_are_named(tmp_path):
    with pytest.raises(DataError, match="kuavo sim frames"):
        split_shards(tmp_path, 5)
    (tmp_path / "x.npz").write_bytes(b"no")
    with pytest.raises(DataError, match=r"x\.npz"):
        Frames([tmp_path / "x.npz"])


def test_phrases_name_side_and_thing_and_no_task():
    rng = np.random.default_rng(0)
    said = {motion_phrase("at", "l", ("bin", ()), rng) for _ in range(50)}
    assert len(said) > 8
    assert all("left" in phrase for phrase in said)
    instructions = {task.instruction for task in load_tasks().values()}
    templates = [t for ts in (*MOTIONS.values(), *STORIES.values()) for t in ts]
    assert not instructions & {*POINT, *templates}


def test_a_story_names_its_things_in_order():
    rng = np.random.default_rng(0)
    for count in (2, 3):
        things = [("bin", ()), ("workpiece", ()), ("mat", ())][:count]
        for _ in range(40):
            phrase = story_phrase(things, rng)
            found = [min(phrase.find(n) % 999 for n in names(*thing)) for thing in things]
            assert found == sorted(found) and max(found) < 998, phrase


def test_a_batch_says_where_each_named_thing_is_by_its_turn(fresh):
    batch = fresh(stories=0.6)._frames.batch(16, 4, 3)
    first, second, third = batch.points.T
    assert second.any() and not (second & ~first).any() and not third.any()  # two things a frame
    assert (batch.places[~batch.points] == 0).all() and not batch.visible[~batch.points].any()
    one, other = (batch.places[second, turn] for turn in (0, 1))
    assert not (one == other).all(dim=(1, 2)).any()


def test_settings_are_read_and_wrong_ones_named():
    folder = configs_root() / "policy" / "pretraining"
    settings = read_settings(folder, "nano", ["steps=7"])
    assert isinstance(settings, Settings)
    assert settings.steps == 7
    with pytest.raises(TrainingError, match="nano"):
        read_settings(folder, "no_such", [])
    with pytest.raises(TrainingError, match="stepz"):
        read_settings(folder, "nano", ["stepz=7"])
    with pytest.raises(TrainingError, match="stories is 1.5: 0 to 1"):
        read_settings(folder, "nano", ["stories=1.5"])
    with pytest.raises(TrainingError, match="queries is 0: at least 1"):
        read_settings(folder, "nano", ["queries=0"])
