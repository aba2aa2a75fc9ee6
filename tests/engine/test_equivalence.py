"""The engine's chunks are lerobot's, whatever the batch, the instruction and what came before."""

from __future__ import annotations

import threading

import pytest
import torch

from kuavo_train.engine.engine import Engine
from kuavo_train.engine.samplers import TOKEN_MASK, TOKENS, FastSampler, make_sampler
from kuavo_train.engine.shapes import EngineUnsupported
from kuavo_train.errors import TrainingError

from .conftest import batch, difference, fast, make_policy, noise, remainder, stock

EXACT = 1e-5
"""Of normalized actions, whose deviation is about 1."""
LENGTHS = {"short": [9], "middle": [23], "recorded length": [48], "eight alike": [23] * 8,
           "eight different": [9, 48, 23, 31, 1, 17, 40, 23]}  # fmt: skip


@pytest.fixture(params=[True, False], ids=["trimmed", "padded as for a GPU's graphs"])
def sampler(policy, request):
    made = FastSampler(policy, "float32")
    made.engine = Engine(policy, trim=request.param)
    return made


@pytest.fixture
def recorded(policy):
    return FastSampler(policy, "float32", graphs=True)


@pytest.mark.parametrize("guided", [False, True], ids=["free", "guided"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_a_chunk_is_lerobots(policy, sampler, lengths, guided):
    content, start = batch(policy, lengths), noise(policy, len(lengths))
    left = remainder(policy, len(lengths)) if guided else None
    expected = stock(policy, content, start, left)
    assert difference(fast(sampler, content, start, left), expected) < EXACT
    assert expected.std() > 0.1


def test_every_input_counts(policy):
    """The comparison above could see a mistake: each input changes lerobot's chunk by far more."""
    content, start = batch(policy, [23]), noise(policy)
    expected = stock(policy, content, start, None)
    other = batch(policy, [23], seed=1)
    for name in (*policy.config.image_features, "observation.state", TOKENS):
        changed = stock(policy, {**content, name: other[name]}, start, None)
        assert difference(changed, expected) > 30 * EXACT, name


def test_nothing_of_an_earlier_chunk_is_left(policy, sampler):
    """Instructions, batch sizes, guidance and images follow each other in any order."""
    turns = [
        ([23], None), ([9], remainder(policy)), ([9], None), ([23, 9], None),
        ([23], remainder(policy, steps=4)), ([48], None), ([9, 23], None), ([23], None),
    ]  # fmt: skip
    for seed, (lengths, left) in enumerate(turns):
        content = batch(policy, lengths, seed)
        start = noise(policy, len(lengths), seed)
        expected = stock(policy, content, start, left)
        assert difference(fast(sampler, content, start, left), expected) < EXACT, seed


def test_a_recorded_graph_follows_all_that_changes(policy, recorded):
    """Only weights are constants of a graph: nothing else of the chunk it was recorded with is."""
    turns = [
        ([23], None), ([23], remainder(policy)), ([23], None), ([9, 48], remainder(policy, 2)),
        ([23, 17], None), ([48, 9], remainder(policy, 2, steps=4)),
    ]  # fmt: skip
    for seed, (lengths, left) in enumerate(turns):
        content = batch(policy, lengths, seed)
        start = noise(policy, len(lengths), seed)
        expected = stock(policy, content, start, left)
        for _ in range(2):
            assert difference(fast(recorded, content, start, left), expected) < EXACT, seed


def test_a_chunk_that_was_given_out_stays(policy, sampler):
    first = fast(sampler, batch(policy, [23]), noise(policy), None)
    copy = first.clone()
    fast(sampler, batch(policy, [23], 1), noise(policy, 1, 1), None)
    assert torch.equal(first, copy)


def test_more_batch_shapes_than_are_kept(policy, sampler):
    for count in (*range(1, 11), 1):
        content, start = batch(policy, [9] * count), noise(policy, count)
        expected = stock(policy, content, start, None)
        assert difference(fast(sampler, content, start, None), expected) < EXACT


def test_the_same_seed_draws_the_same_noise_as_lerobot(policy, sampler):
    content = batch(policy, [23])
    torch.manual_seed(3)
    expected = stock(policy, content, None, None)
    torch.manual_seed(3)
    assert difference(fast(sampler, content, None, None), expected) < EXACT


def test_what_does_not_depend_on_the_state_is_done_before_it_is_there(policy, sampler):
    """One look, two states: the second costs no vision and no prefix."""
    engine, content = sampler.engine, batch(policy, [23])
    pixels = torch.stack([content[name] for name in policy.config.image_features], 1)
    engine.see(pixels, content[TOKENS], content[TOKEN_MASK])
    for seed in (1, 2):
        state = torch.randn(1, 16, generator=torch.Generator().manual_seed(seed))
        expected = stock(policy, {**content, "observation.state": state}, noise(policy), None)
        assert difference(engine.act(state, noise(policy))[..., :20], expected) < EXACT


def test_another_instruction_about_the_same_images_costs_no_vision(policy, sampler, monkeypatch):
    first, second = batch(policy, [9]), batch(policy, [23], seed=1)
    shown = {name: first[name] for name in policy.config.image_features}
    sampler.see({name: first[name] for name in (*shown, TOKENS, TOKEN_MASK)})
    monkeypatch.setattr(type(sampler.engine._networks.vision), "__call__", None)
    words = {name: second[name] for name in (TOKENS, TOKEN_MASK)}
    for seen in (words, {name: first[name] for name in words}, words):
        sampler.see(seen)
    expected = stock(policy, {**second, **shown}, noise(policy), None)
    made = sampler.act(second["observation.state"], noise(policy), None)
    assert difference(made, expected) < EXACT


def test_other_images_are_needed_for_more_instructions(policy, sampler):
    with pytest.raises(TrainingError, match="no images"):
        sampler.engine.see(None, *(batch(policy, [9])[name] for name in (TOKENS, TOKEN_MASK)))
    fast(sampler, batch(policy, [9]), noise(policy), None)
    with pytest.raises(TrainingError, match="2 instructions"):
        sampler.engine.see(None, *(batch(policy, [9, 9])[name] for name in (TOKENS, TOKEN_MASK)))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_engine_that_has_the_weights_alone_computes_the_same(policy, precision):
    content, start = batch(policy, [23]), noise(policy)
    expected = fast(FastSampler(policy, precision), content, start, None)
    alone = make_policy()
    alone.load_state_dict(policy.state_dict())
    sampler = FastSampler(alone, precision, release=True)
    assert not sum(parameter.numel() for parameter in alone.parameters())
    assert torch.equal(fast(sampler, content, start, None), expected)
    with pytest.raises(RuntimeError):
        stock(alone, content, start, None)


def test_acting_on_nothing_is_an_error(policy):
    with pytest.raises(TrainingError, match="see"):
        Engine(policy).act(torch.zeros(1, 16))


@pytest.mark.parametrize(
    "change",
    [
        lambda policy: policy.model.state_proj.weight.data.copy_(
            policy.model.state_proj.weight * 1.5
        ),
        lambda policy: policy.load_state_dict(make_policy(seed=1).state_dict()),
        lambda policy: torch.optim.AdamW(policy.parameters(), lr=0.01).step(),
        lambda policy: torch.optim.AdamW(policy.parameters(), lr=0.01, foreach=True).step(),
    ],
    ids=["one layer", "load_state_dict", "optimizer", "foreach optimizer"],
)
def test_weights_that_change_are_read_again(policy, change):
    """Training validates with the policy it trains."""
    sampler = FastSampler(policy, "float32")
    content, start = batch(policy, [23]), noise(policy)
    before = fast(sampler, content, start, None)
    for parameter in policy.parameters():
        parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
    change(policy)
    policy.zero_grad()
    expected = stock(policy, content, start, None)
    assert difference(fast(sampler, content, start, None), expected) < EXACT
    assert difference(before, expected) > 30 * EXACT


def test_two_threads_do_not_mix(policy, sampler):
    contents = [batch(policy, [23], 1), batch(policy, [9], 2)]
    starts = [noise(policy, 1, 1), noise(policy, 1, 2)]
    expected = [stock(policy, c, n, None) for c, n in zip(contents, starts, strict=True)]
    errors: list[float] = []

    def work(index: int) -> None:
        for _ in range(6):
            made = fast(sampler, contents[index], starts[index], None)
            errors.append(difference(made, expected[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 12 and max(errors) < EXACT


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [("empty_cameras", 1, "empty cameras"), ("add_image_special_tokens", True, "own tokens"),
     ("adapt_to_pi_aloha", True, "Aloha"), ("resize_imgs_with_padding", (96, 64), "square")],
)  # fmt: skip
def test_what_the_engine_does_not_compute_is_named(policy, monkeypatch, option, value, named):
    monkeypatch.setattr(policy.config, option, value)
    with pytest.raises(EngineUnsupported, match=f"{named}.*engine='stock'"):
        Engine(policy)


def test_every_layer_may_look_at_itself(policy, monkeypatch):
    """lerobot's other attention mode; the expert then reads the VLM's keys as they are."""
    small = make_policy(seed=2)
    small.model.vlm_with_expert.attention_mode = small.config.attention_mode = "cross_attn"
    every = 1
    small.config.self_attn_every_n_layers = every
    small.model.vlm_with_expert.self_attn_every_n_layers = every
    content, start = batch(small, [23]), noise(small)
    for layer in small.model.vlm_with_expert.lm_expert.layers:
        attention = layer.self_attn
        if attention.k_proj.in_features != attention.q_proj.in_features:
            width = attention.q_proj.in_features
            attention.k_proj = torch.nn.Linear(width, attention.k_proj.out_features, bias=False)
            attention.v_proj = torch.nn.Linear(width, attention.v_proj.out_features, bias=False)
    expected = stock(small, content, start, None)
    assert difference(FastSampler(small, "float32").chunk(content, start, None), expected) < EXACT


@pytest.mark.parametrize(
    ("engine", "precision", "named"),
    [("quick", "float32", "fast, stock"), ("fast", "float16", "float32, bfloat16, int8"),
     ("stock", "int8", "engine='fast'")],
)  # fmt: skip
def test_a_wrong_choice_is_answered_with_the_valid_ones(policy, engine, precision, named):
    with pytest.raises(TrainingError, match=named):
        make_sampler(engine, policy, precision)


def test_padding_on_the_left_is_refused(policy, sampler):
    content = batch(policy, [9])
    content[TOKEN_MASK] = content[TOKEN_MASK].flip(1)
    with pytest.raises(TrainingError, match="right"):
        fast(sampler, content, noise(policy), None)
