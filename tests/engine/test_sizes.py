"""The architectures that are used: nano always, 450 M where there is time."""

from __future__ import annotations

import pytest

from kuavo_train.engine.samplers import FastSampler

from .conftest import batch, difference, fast, make_policy, noise, remainder, stock

LENGTHS = ([9], [23], [48])


def compare(policy, precision, tolerance, counts):
    sampler = FastSampler(policy, precision)
    for seed, lengths in enumerate(LENGTHS):
        for count in counts:
            content = batch(policy, lengths * count, seed)
            start = noise(policy, count, seed)
            for left in (None, remainder(policy, count)):
                expected = stock(policy, content, start, left)
                assert difference(fast(sampler, content, start, left), expected) < tolerance


def test_nano_is_lerobots():
    compare(make_policy("nano"), "float32", 1e-5, (1,))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nano_is_lerobots_in_batches_and_at_lower_precision():
    policy = make_policy("nano")
    compare(policy, "float32", 1e-5, (8,))
    compare(policy, "bfloat16", 0.05, (1,))
    compare(policy, "int8", 0.15, (1,))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.15), ("int8", 0.3)]
)
def test_450m_is_lerobots(precision, tolerance):
    compare(make_policy("smolvla_450m"), precision, tolerance, (1,))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_450m_is_lerobots_in_batches():
    policy = make_policy("smolvla_450m")
    content, start = batch(policy, [23] * 8), noise(policy, 8)
    made = fast(FastSampler(policy, "float32"), content, start, None)
    assert difference(made, stock(policy, content, start, None)) < 1e-4
