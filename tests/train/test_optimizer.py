"""Muon: updates are orthogonal, of AdamW's size, and only hidden layers' matrices get them."""

from __future__ import annotations

import pytest
import torch

from kuavo_train.optimizer.make import make_optimizer, put_state, set_rate, state_of
from kuavo_train.optimizer.muon import RMS, MuonAdamW, orthogonal


def muon(matrices, rate, decay=0.0):
    return MuonAdamW([{"params": matrices, "muon": True}], rate, (0.9, 0.95), decay)


@pytest.mark.parametrize("shape", [(24, 24), (24, 64), (64, 24)])
def test_an_update_turns_every_direction_alike(shape):
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(3, *shape), full_matrices=False)
    lengths = torch.logspace(0, -2, min(shape))  # what is a hundred times weaker counts as much
    made = orthogonal(u @ torch.diag(lengths) @ v)
    singular = torch.linalg.svdvals(made)
    assert made.shape == (3, *shape)
    assert singular.min() > 0.6 and singular.max() < 1.3


def test_a_step_is_as_large_as_adamws():
    torch.manual_seed(0)
    matrix = torch.nn.Parameter(torch.zeros(32, 64))
    optimizer = muon([matrix], 0.1)
    matrix.grad = 1e-6 * torch.randn(32, 64)
    optimizer.step()
    size = float(matrix.detach().square().mean().sqrt())
    assert size == pytest.approx(0.1 * RMS, rel=0.2)


def test_decay_is_decoupled_and_what_has_no_gradient_stays():
    moved, left = (torch.nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    optimizer = muon([moved, left], 0.5, 0.1)
    moved.grad = torch.zeros(4, 4)
    optimizer.step()
    assert torch.allclose(moved, torch.full((4, 4), 0.95)) and torch.equal(left, torch.ones(4, 4))


def test_ill_conditioned_least_squares_are_solved():
    torch.manual_seed(0)
    wanted = torch.randn(8, 8)
    inputs = torch.randn(256, 8) * torch.logspace(0, -1, 8)
    weights = torch.nn.Parameter(torch.zeros(8, 8))
    optimizer = muon([weights], 0.3)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - step / 200)
        optimizer.zero_grad()
        (inputs @ (weights - wanted)).square().mean().backward()
        optimizer.step()
    assert float((weights.detach() - wanted).abs().max()) < 0.1


def small_model():
    torch.manual_seed(0)
    return torch.nn.ModuleDict(
        {"action_in_proj": torch.nn.Linear(4, 6), "hidden": torch.nn.Linear(6, 6)}
    )


def taught(model, named, steps):
    for step in steps:
        set_rate(named.optimizer, 0.01 / (step + 1))
        named.optimizer.zero_grad()
        model["hidden"](model["action_in_proj"](torch.ones(2, 4))).square().sum().backward()
        named.optimizer.step()
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def named_optimizer(model, kind):
    parameters = dict(model.named_parameters())
    return make_optimizer(kind, parameters, 0.01, (0.9, 0.95), 0.0, hidden_rate=3.0)


def test_only_hidden_matrices_are_turned_at_their_own_rate():
    named = named_optimizer(small_model(), "muon")
    others, hidden = named.optimizer.param_groups
    assert named.names[len(others["params"]) :] == ["hidden.weight"] and hidden["muon"]
    set_rate(named.optimizer, 0.5)
    assert (others["lr"], hidden["lr"]) == (0.5, 1.5)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_the_rest_is_adamws_own_step(kind):
    reference = small_model()
    hidden = () if kind == "adamw" else ("hidden.weight",)
    frozen = {n: p for n, p in reference.named_parameters() if n not in hidden}
    adamw = torch.optim.AdamW(frozen.values(), lr=0.01, betas=(0.9, 0.95), weight_decay=0.0)
    reference["hidden"](reference["action_in_proj"](torch.ones(2, 4))).square().sum().backward()
    adamw.step()
    model = small_model()
    first = taught(model, named_optimizer(model, kind), range(1))
    for name in frozen:
        assert torch.equal(first[name], reference.get_parameter(name).detach()), name


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_stored_state_goes_on_bit_by_bit(kind):
    whole = small_model()
    wanted = taught(whole, named_optimizer(whole, kind), range(4))
    model = small_model()
    named = named_optimizer(model, kind)
    taught(model, named, range(2))
    stored = {key: value.clone() for key, value in state_of(named).items()}
    again = named_optimizer(model, kind)
    put_state(again, stored)
    taught(model, again, range(2, 4))
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, wanted[name]), name
