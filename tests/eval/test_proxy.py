"""Offline scores against rollouts: by hand, and by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kuavo_eval.statistics import mmrv, proxy_validity

REAL = [0.1, 0.3, 0.5, 0.7, 0.9]


def test_mmrv_by_hand() -> None:
    # ranks of 0.3 and 0.5 exchanged: two of five checkpoints lose 0.2 by trusting the score
    assert mmrv(REAL, [1, 3, 2, 4, 5]) == pytest.approx((0.2 + 0.2) / 5)
    assert mmrv(REAL, [1, 2, 3, 4, 5]) == 0
    # reversed: each loses against the farther end: 0.8, 0.6, 0.4, 0.6, 0.8
    assert mmrv(REAL, [5, 4, 3, 2, 1]) == pytest.approx(3.2 / 5)


def test_mmrv_takes_the_distance_from_the_real_score() -> None:
    assert mmrv([0.0, 1.0], [2, 1]) == 1 and mmrv([0.5, 0.51], [200, 1]) == pytest.approx(0.01)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_mmrv_of_the_truth_is_zero(real: list[float]) -> None:
    assert mmrv(real, real) == 0


def test_an_error_is_turned_around() -> None:
    error = [0.9, 0.7, 0.6, 0.4, 0.1]
    proxy = proxy_validity(REAL, error, higher_is_better=False)
    assert proxy.status == "validated" and proxy.mmrv == 0
    assert proxy.spearman == pytest.approx(-1)
    assert proxy.pearson == pytest.approx(stats.pearsonr(error, REAL).statistic)
    assert proxy_validity(REAL, error, higher_is_better=True).mmrv == pytest.approx(3.2 / 5)


def test_spearman_is_scipy_s() -> None:
    rng = np.random.default_rng(0)
    real, score = rng.random((2, 9)).tolist()
    proxy = proxy_validity(real, score, higher_is_better=True)
    expected = stats.spearmanr(score, real)
    assert (proxy.spearman, proxy.spearman_p) == pytest.approx(tuple(expected))


def test_four_checkpoints_validate_nothing() -> None:
    proxy = proxy_validity(REAL[:4], [1, 2, 3, 4], higher_is_better=True)
    assert proxy.status == "unvalidated" and proxy.spearman is None and "5 are needed" in proxy.why


def test_equal_successes_validate_nothing() -> None:
    proxy = proxy_validity([0.0] * 6, [1, 2, 3, 4, 5, 6], higher_is_better=True)
    assert proxy.status == "unvalidated" and "same success rate" in proxy.why
