"""bfloat16 and int8 are options: how far from lerobot's float32 chunk they may be."""

from __future__ import annotations

import pytest
import torch

from kuavo_train.engine.samplers import FastSampler

from .conftest import batch, difference, fast, noise, remainder, stock

TOLERANCES = {"bfloat16": 0.05, "int8": 0.15}
"""Of normalized actions, whose deviation is about 1; the largest of a chunk's numbers."""


@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize("guided", [False, True], ids=["free", "guided"])
@pytest.mark.parametrize("precision", TOLERANCES)
def test_a_chunk_is_near_lerobots(policy, precision, guided, count):
    sampler = FastSampler(policy, precision)
    for seed, length in enumerate((9, 23, 48)):
        content, start = batch(policy, [length] * count, seed), noise(policy, count, seed)
        left = remainder(policy, count) if guided else None
        expected = stock(policy, content, start, left)
        made = fast(sampler, content, start, left)
        assert made.dtype == torch.float32
        assert 1e-6 < difference(made, expected) < TOLERANCES[precision]
