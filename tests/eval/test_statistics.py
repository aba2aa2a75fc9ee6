"""Every number that decides something, against scipy, statsmodels or a count by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kuavo_eval.statistics import (
    bootstrap,
    bootstrap_ratio,
    boschloo,
    combined,
    difference_paired,
    difference_unpaired,
    holm,
    mcnemar,
    more_pairs,
    more_trials,
    pairs_needed,
    trials_per_arm,
    wilson,
)

COUNTS = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def outcomes(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    """Paired trials with these counts."""
    pairs = (
        [(True, True)] * both
        + [(True, False)] * only_a
        + [(False, True)] * only_b
        + [(False, False)] * neither
    )
    return [a for a, _ in pairs], [b for _, b in pairs]


def test_twenty_of_twenty_is_84_to_100_per_cent() -> None:
    rate = wilson(20, 20)
    assert round(100 * rate.low) == 84 and rate.high == pytest.approx(1)
    assert rate.value == 1


@given(COUNTS)
def test_wilson_is_scipy_s(count: tuple[int, int]) -> None:
    rate = wilson(*count)
    expected = stats.binomtest(*count).proportion_ci(method="wilson")
    assert (rate.low, rate.high) == pytest.approx((expected.low, expected.high))


def test_no_trials_say_nothing() -> None:
    rate = wilson(0, 0)
    assert rate.value is None and (rate.low, rate.high) == (0, 1)


def test_impossible_counts_are_refused() -> None:
    for call in (lambda: wilson(3, 2), lambda: boschloo(3, 2, 0, 2), lambda: wilson(-1, 2)):
        with pytest.raises(ValueError, match="impossible"):
            call()


@given(*[st.integers(0, 15)] * 4)
def test_mcnemar_is_a_binomial_test_of_the_pairs_that_differ(
    both: int, only_a: int, only_b: int, neither: int
) -> None:
    a, b = outcomes(both, only_a, only_b, neither)
    n = only_a + only_b
    expected = stats.binomtest(only_a, n).pvalue if n else 1.0
    assert mcnemar(a, b) == pytest.approx(expected)
    assert mcnemar(b, a) == pytest.approx(expected)


def test_mcnemar_needs_pairs() -> None:
    with pytest.raises(ValueError, match="shorter|longer"):
        mcnemar([True], [True, False])


def test_boschloo_is_scipy_s_and_sharper_than_fisher() -> None:
    p = boschloo(18, 20, 11, 20)
    assert p == pytest.approx(stats.boschloo_exact([[18, 11], [2, 9]]).pvalue)
    assert 0.01 < p < stats.fisher_exact([[18, 11], [2, 9]]).pvalue
    assert boschloo(11, 20, 18, 20) == pytest.approx(p, rel=1e-3)


def test_boschloo_of_one_outcome_alone_is_one() -> None:
    assert boschloo(20, 20, 20, 20) == boschloo(0, 9, 0, 4) == boschloo(0, 0, 3, 4) == 1


def test_holm_by_hand() -> None:
    # 3 × 0.01; then 2 × 0.03 and 1 × 0.04, of which the later may not be smaller
    assert holm({"x": 0.04, "y": 0.01, "z": 0.03}) == pytest.approx(
        {"x": 0.06, "y": 0.03, "z": 0.06}
    )
    assert holm({}) == {} and holm({"x": 0.9, "y": 0.8}) == {"x": 1, "y": 1}


def test_telling_60_from_80_per_cent_takes_82_trials_an_arm() -> None:
    assert trials_per_arm(0.6, 0.8) == trials_per_arm(0.8, 0.6) == 82


def test_trials_per_arm_gives_the_power_it_promises() -> None:
    n = trials_per_arm(0.55, 0.9)
    a, b = stats.binom(n, 0.55), stats.binom(n, 0.9)
    pooled = np.arange(2 * n + 1) / (2 * n)
    power = 0.0
    for i, j in itertools.product(range(n + 1), repeat=2):
        variance = 2 * pooled[i + j] * (1 - pooled[i + j]) / n
        if variance and abs(i - j) / n / math.sqrt(variance) > 1.96:
            power += a.pmf(i) * b.pmf(j)
    assert power == pytest.approx(0.8, abs=0.04)


def test_pairs_needed_gives_the_power_it_promises() -> None:
    only_a, only_b = 0.4, 0.15
    n = pairs_needed(only_a, only_b)
    power = 0.0
    for differing in range(1, n + 1):
        chance = stats.binom(n, only_a + only_b).pmf(differing)
        wins = stats.binom(differing, only_a / (only_a + only_b))
        for k in range(differing + 1):
            if abs(2 * k - differing) / math.sqrt(differing) > 1.96:
                power += chance * wins.pmf(k)
    assert power == pytest.approx(0.8, abs=0.04)


def test_what_cannot_be_told_apart_is_said_so() -> None:
    with pytest.raises(ValueError, match="any number"):
        trials_per_arm(0.5, 0.5)
    with pytest.raises(ValueError, match="any number"):
        pairs_needed(0.2, 0.2)
    with pytest.raises(ValueError, match="0…1"):
        trials_per_arm(0.5, 1.5)
    with pytest.raises(ValueError, match="impossible"):
        pairs_needed(0.8, 0.5)
    assert more_trials(5, 10, 5, 10) is None and more_trials(0, 0, 3, 4) is None
    assert more_pairs(2, 2, 9) is None and more_pairs(0, 0, 0) is None


def test_more_trials_are_those_that_are_missing() -> None:
    assert more_trials(12, 20, 16, 20) == 82 - 20
    assert more_trials(6, 10, 16, 20) == 82 - 10
    assert more_trials(60, 100, 80, 100) == 0
    assert more_pairs(4, 1, 20) == pairs_needed(0.2, 0.05) - 20


def test_difference_unpaired_is_newcombe_s_own_example() -> None:
    # Newcombe 1998, table II, (a): 56/70 - 48/80 = 0.2, method 10: 0.0524 to 0.3339
    difference = difference_unpaired(56, 70, 48, 80)
    assert difference.value == pytest.approx(0.2)
    assert (difference.low, difference.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_difference_paired_by_hand() -> None:
    # 6 pairs to A, 1 to B, 20 in all: (7 - 2)/22, ± 1.96 √((9/22 - (5/22)²)/22)
    difference = difference_paired(*outcomes(10, 6, 1, 3))
    reach = 1.959964 * math.sqrt((9 / 22 - (5 / 22) ** 2) / 22)
    assert difference.value == pytest.approx(0.25)
    assert (difference.low, difference.high) == pytest.approx((5 / 22 - reach, 5 / 22 + reach))


def test_difference_paired_covers_what_it_says() -> None:
    rng = np.random.default_rng(0)
    covered, runs = 0, 400
    for _ in range(runs):
        kinds = rng.choice(4, size=25, p=[0.45, 0.3, 0.1, 0.15])
        difference = difference_paired(
            [bool(k in (0, 1)) for k in kinds], [bool(k in (0, 2)) for k in kinds]
        )
        assert difference.low is not None and difference.high is not None
        covered += difference.low <= 0.2 <= difference.high
    assert covered / runs > 0.92


def test_no_trials_have_no_difference() -> None:
    assert difference_paired([], []).value is None
    assert difference_unpaired(0, 0, 1, 2).value is None


def test_bootstrap_resamples_episodes_not_frames() -> None:
    """Ten episodes, each with an error of its own in 1000 frames: ten numbers, not ten thousand."""
    errors = np.arange(10.0)
    score = bootstrap_ratio(errors * 1000, np.full(10, 1000.0)).quantity("rad")
    assert score.value == pytest.approx(4.5) and score.n == 10
    spread = np.std(errors) / math.sqrt(10)
    assert score.low is not None and score.high is not None
    assert score.high - score.low == pytest.approx(2 * 1.96 * spread, rel=0.12)


def test_bootstrap_weighs_episodes_by_their_frames() -> None:
    assert bootstrap_ratio([10.0, 0.0], [10, 30]).quantity("").value == pytest.approx(0.25)


def test_an_episode_keeps_its_sum_and_its_count_together() -> None:
    """Long and short episodes with the same error: whatever is drawn, the error is that."""
    frames = np.array([10.0, 1000.0, 30.0, 500.0])
    score = bootstrap_ratio(0.25 * frames, frames).quantity("rad")
    assert (score.low, score.value, score.high) == pytest.approx((0.25, 0.25, 0.25))


def test_bootstrap_is_the_same_for_the_same_seed() -> None:
    values = np.random.default_rng(1).random(12)
    first, again, other = (bootstrap_ratio(values, np.ones(12), seed=s) for s in (3, 3, 4))
    assert np.array_equal(first.distribution, again.distribution)
    assert not np.array_equal(first.distribution, other.distribution)


def test_checkpoints_on_the_same_episodes_are_paired() -> None:
    """Episodes vary by ±100; B is 1 worse on each: the difference is 1, without doubt."""
    rng = np.random.default_rng(2)
    a = rng.normal(0, 100, 15)
    scores = bootstrap_ratio(np.stack([a, a + 1]), np.ones((2, 15)))
    assert scores.value.shape == (2,)
    difference = combined(lambda x: x[1] - x[0], scores).quantity("rad")
    assert (difference.low, difference.value, difference.high) == pytest.approx((1, 1, 1))
    alone = scores.quantity("rad", 0)
    assert alone.low is not None and alone.high is not None and alone.high - alone.low > 50


def test_tasks_are_drawn_independently() -> None:
    rng = np.random.default_rng(3)
    parts = [bootstrap_ratio(rng.normal(0, 1, 40), np.ones(40), seed=seed) for seed in range(4)]
    mean = combined(lambda *x: sum(x) / 4, *parts)
    assert mean.distribution.std() == pytest.approx(1 / math.sqrt(160), rel=0.15)


def test_a_ratio_of_events() -> None:
    """F1 out of true and false positives and misses per episode."""

    def f1(true: np.ndarray, false: np.ndarray, missed: np.ndarray, axis: int) -> np.ndarray:
        t = true.sum(axis)
        return 2 * t / (2 * t + false.sum(axis) + missed.sum(axis))

    score = bootstrap(f1, [3, 2, 4], [0, 1, 0], [1, 0, 0]).quantity("fraction")
    assert score.value == pytest.approx(18 / 20)
    assert score.low is not None and 0.5 < score.low <= 0.9
    nothing = bootstrap(f1, [0, 0], [0, 0], [0, 0]).quantity("fraction")
    assert nothing.value is None and nothing.why


def test_one_episode_has_a_value_and_no_interval() -> None:
    score = bootstrap_ratio([3.0], [2.0]).quantity("rad")
    assert score.value == 1.5 and score.low is None and "one episode" in score.why


def test_columns_must_agree() -> None:
    with pytest.raises(ValueError, match="one number per episode"):
        bootstrap_ratio([1, 2], [1])
    with pytest.raises(ValueError, match="one number per episode"):
        bootstrap_ratio([], [])
