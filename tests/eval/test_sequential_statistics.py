"""Looking after every trial: the promise holds at every moment, not only at the end."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_eval.statistics import evidence_paired, evidence_unpaired, success_interval, wilson
from kuavo_eval.statistics.sequential import block_log_evidence

RATE = st.floats(0.01, 0.99)
ALPHA, RUNS, TRIALS = 0.05, 1500, 120


def test_interval_by_hand() -> None:
    # one success: B(2, 1) / p = 1 / (2 p) < 20
    assert success_interval(1, 1).low == pytest.approx(1 / 40)
    assert success_interval(1, 1).high == 1
    assert (success_interval(0, 0).low, success_interval(0, 0).high) == (0, 1)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_is_wider_than_wilson_s_and_holds_the_rate(count: tuple[int, int]) -> None:
    always, once = success_interval(*count), wilson(*count)
    assert always.low <= once.value <= always.high  # type: ignore[operator]
    assert always.high - always.low > once.high - once.low


def test_interval_misses_the_rate_at_any_time_in_few_runs() -> None:
    rng = np.random.default_rng(0)
    rate = 0.7
    successes = np.cumsum(rng.random((RUNS, TRIALS)) < rate, axis=1)
    n = np.arange(1, TRIALS + 1)
    bounds = {
        (int(k), int(m)): success_interval(int(k), int(m))
        for m in n
        for k in np.unique(successes[:, m - 1])
    }
    missed = sum(
        any(not bounds[k, m].low <= rate <= bounds[k, m].high for k, m in zip(row, n, strict=True))
        for row in successes.tolist()
    )
    assert missed / RUNS <= ALPHA
    fixed = sum(
        any(not wilson(k, m).low <= rate <= wilson(k, m).high for k, m in zip(row, n, strict=True))
        for row in successes[:100].tolist()
    )
    assert fixed / 100 > ALPHA  # what looking again and again does to an ordinary interval


@given(RATE, RATE, RATE)
def test_a_block_promises_nothing_without_a_difference(p_a: float, p_b: float, p: float) -> None:
    """Expected factor ≤ 1 for every common success rate: what makes the test valid."""
    expected = sum(
        (p if x else 1 - p) * (p if y else 1 - p) * math.exp(block_log_evidence(x, y, p_a, p_b))
        for x in (True, False)
        for y in (True, False)
    )
    assert expected <= 1 + 1e-9


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("test", [evidence_paired, evidence_unpaired])
def test_equal_checkpoints_are_rarely_called_different(test: object, rate: float) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 400, 60)) < rate
    decided = sum(
        test(x, y).decided_after is not None  # type: ignore[operator]
        for x, y in zip(a.tolist(), b.tolist(), strict=True)
    )
    assert decided / 400 <= ALPHA


@pytest.mark.parametrize("test", [evidence_paired, evidence_unpaired])
def test_a_clear_difference_is_found_early(test: object) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.random((50, 100)) < 0.95, rng.random((50, 100)) < 0.3
    after = [
        test(x, y).decided_after  # type: ignore[operator]
        for x, y in zip(a.tolist(), b.tolist(), strict=True)
    ]
    assert None not in after and np.median(after) < 30


def test_paired_evidence_by_hand() -> None:
    # ten pairs, all to A: B(11, 1) · 2^10 = 1024 / 11
    evidence = evidence_paired([True] * 10, [False] * 10)
    assert evidence.e_value == pytest.approx(1024 / 11)
    assert evidence.p_anytime == pytest.approx(11 / 1024)
    # 2^k / (k + 1) passes 20 at k = 8 (28.4; at 7 it is 16)
    assert evidence.decided_after == 8 and evidence.used == 10


def test_unpaired_evidence_uses_what_both_have() -> None:
    assert evidence_unpaired([True] * 9, [False] * 4).used == 4
    assert evidence_unpaired([], []).p_anytime == 1


def test_a_p_value_at_any_time_never_grows() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.random((2, 80)) < [[0.8], [0.4]]).tolist()
    path = [evidence_unpaired(a[:k], b[:k]).p_anytime for k in range(81)]
    assert all(later <= earlier for earlier, later in zip(path, path[1:], strict=False))
