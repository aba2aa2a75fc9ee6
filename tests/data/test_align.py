"""Frames at 10 Hz from the head camera; everything else is near enough, or the bag is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_train.data.bags.align import MAX_SILENCE, Need, align, last_before, nearest
from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.tracks import Track

MS = 1_000_000


def track(times_ms: np.ndarray | list[float], topic: str = "/t") -> Track:
    times = np.round(np.asarray(times_ms) * MS).astype(np.int64)
    return Track(topic, times, np.arange(len(times), dtype=float)[:, None], np.arange(len(times)))


def camera(seconds: float = 2.0, hz: float = 30.0) -> Track:
    return track(np.arange(0, seconds * 1e3 + 1, 1e3 / hz))


@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=40).map(sorted),
    st.lists(st.integers(-(10**12), 2 * 10**12), min_size=1, max_size=20),
)
def test_nearest_is_the_nearest(times: list[int], targets: list[int]) -> None:
    chosen = nearest(np.array(times), np.array(targets))
    for target, index in zip(targets, chosen, strict=True):
        assert abs(times[index] - target) == min(abs(t - target) for t in times)


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=40).map(sorted),
    st.lists(st.integers(0, 1000), min_size=1, max_size=20),
)
def test_last_before_never_looks_ahead(times: list[int], targets: list[int]) -> None:
    for target, index in zip(targets, last_before(np.array(times), np.array(targets)), strict=True):
        assert times[index] <= target or index == 0
        assert all(t > target for t in times[index + 1 :])


def test_a_frame_is_every_third_image_of_a_30_hz_camera() -> None:
    frames = align(camera(), [], 10, 0.04)
    assert frames.head.tolist() == list(range(0, 61, 3))


@given(st.floats(0, 0.012), st.integers(0, 2**32 - 1))
def test_jitter_neither_drops_nor_repeats_frames(jitter: float, seed: int) -> None:
    head = camera()
    noise = np.random.default_rng(seed).uniform(-jitter, jitter, len(head.times)) * 1e9
    shaken = Track("/h", np.sort(head.times + noise.astype(np.int64)), head.values, head.order)
    frames = align(shaken, [], 10, 0.05)
    assert (np.diff(frames.head) >= 1).all()
    assert len(frames.head) in (20, 21)


def test_an_action_is_the_command_one_period_later_and_the_last_frame_has_none() -> None:
    command = track(np.arange(0, 2001, 10))
    frames = align(camera(), [Need("c", command, 0.02, lead=0.1, trims=True)], 10, 0.04)
    assert len(frames.times) == 20
    assert np.array_equal(command.times[frames.rows[0]], frames.times + 100 * MS)


@given(st.floats(0.005, 0.2), st.floats(0.3, 1.5), st.floats(0.01, 0.5))
def test_the_maximum_offset_is_enforced(limit: float, start: float, length: float) -> None:
    times = np.arange(0, 2001, 10.0)
    times = times[(times < start * 1e3) | (times > (start + length) * 1e3)]
    sensor = track(times)
    try:
        frames = align(camera(), [Need("s", sensor, limit)], 10, 0.04)
    except BagRefused as refusal:
        assert "s has nothing within" in str(refusal)
        return
    assert np.abs(sensor.times[frames.rows[0]] - frames.times).max() <= limit * 1e9


def test_a_camera_that_stops_early_is_refused_and_a_command_only_trims() -> None:
    short = track(np.arange(0, 3000, 10))
    head = camera(3 + MAX_SILENCE + 1)
    with pytest.raises(BagRefused, match="wrist stops .* before the head camera"):
        align(head, [Need("wrist", short, 0.04)], 10, 0.04)
    frames = align(head, [Need("command", short, 0.04, lead=0.1, trims=True)], 10, 0.04)
    assert len(frames.times) == 30
    assert "command" in frames.notes[0]


def test_a_slow_or_interrupted_head_camera_is_refused() -> None:
    with pytest.raises(BagRefused, match="head camera"):
        align(camera(hz=5), [], 10, 0.04)
    gap = track([t for t in np.arange(0, 2000, 33.3) if not 500 < t < 800])
    with pytest.raises(BagRefused, match="head camera has nothing within 40 ms"):
        align(gap, [], 10, 0.04)


def test_a_held_command_counts_however_old() -> None:
    once = track([500])
    frames = align(camera(), [Need("c", once, 0.04, lead=0.1, held=True, trims=True)], 10, 0.04)
    assert (frames.rows[0] == 0).all()
    assert frames.times[0] >= 300 * MS


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(BagRefused, match="no time in common"):
        align(camera(), [Need("c", track([9000, 9010]), 0.04, trims=True)], 10, 0.04)
