"""Muon: updates are orthogonal, of AdamW's size, and only hidden layers' matrices get them."""

from __future__ import annotations

import pytest
import torch

from kuavo_train.pretraining.muon import RMS, Muon, orthogonal


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
    optimizer = Muon([matrix], lr=0.1, weight_decay=0.0)
    matrix.grad = 1e-6 * torch.randn(32, 64)
    optimizer.step()
    size = float(matrix.detach().square().mean().sqrt())
    assert size == pytest.approx(0.1 * RMS, rel=0.2)


def test_decay_is_decoupled_and_what_has_no_gradient_stays():
    moved, left = (torch.nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    optimizer = Muon([moved, left], lr=0.5, weight_decay=0.1)
    moved.grad = torch.zeros(4, 4)
    optimizer.step()
    assert torch.allclose(moved, torch.full((4, 4), 0.95)) and torch.equal(left, torch.ones(4, 4))


def test_ill_conditioned_least_squares_are_solved():
    torch.manual_seed(0)
    wanted = torch.randn(8, 8)
    inputs = torch.randn(256, 8) * torch.logspace(0, -1, 8)
    weights = torch.nn.Parameter(torch.zeros(8, 8))
    optimizer = Muon([weights], lr=0.3, weight_decay=0.0)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - step / 200)
        optimizer.zero_grad()
        (inputs @ (weights - wanted)).square().mean().backward()
        optimizer.step()
    assert float((weights.detach() - wanted).abs().max()) < 0.1
