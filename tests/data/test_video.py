"""Frames → one video a camera: none dropped, none aliased, the same bytes for the same frames."""

from __future__ import annotations

import numpy as np
import pytest

from kuavo_train.data.decoding import decoded
from kuavo_train.data.video import VideoEncoder

HEIGHT, WIDTH = 48, 64


def scene(seed: int) -> np.ndarray:
    """A smooth picture that codes well, another one for each seed."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    phase = np.random.default_rng(seed).uniform(0, 6, 3)
    waves = np.sin(x[..., None] / 11 + y[..., None] / 17 + phase)
    return (127 + 110 * waves).astype(np.uint8)


def written(folder, frames):
    encoder = VideoEncoder(10)
    encoder.start_episode(["observation.images.one"], folder)
    for frame in frames:
        encoder.feed_frame("observation.images.one", frame)
    return encoder.finish_episode()["observation.images.one"]


def test_every_frame_is_there_in_order_and_looks_like_itself(tmp_path):
    frames = [scene(i // 3) for i in range(12)]  # each is held for three frames
    path, _ = written(tmp_path, frames)
    seen = list(decoded(path, 0, 99))
    assert len(seen) == 12
    for frame, again in zip(frames, seen, strict=True):
        assert np.abs(frame.astype(int) - again).mean() < 8


def test_a_buffer_that_its_owner_fills_anew_is_a_new_frame(tmp_path):
    buffer, expected = np.empty((HEIGHT, WIDTH, 3), np.uint8), [scene(i) for i in range(6)]

    def filled():
        for frame in expected:
            buffer[:] = frame
            yield buffer

    path, _ = written(tmp_path, filled())
    again = list(decoded(path, 0, 99))
    for frame, seen in zip(expected, again, strict=True):
        assert np.abs(frame.astype(int) - seen).mean() < 8


def test_the_same_frames_give_the_same_bytes(tmp_path):
    frames = [scene(i) for i in range(7)]
    first, _ = written(tmp_path, frames)
    second, _ = written(tmp_path, frames)
    assert first != second and first.read_bytes() == second.read_bytes()


def test_statistics_are_those_of_every_second_pixel(tmp_path):
    frames = [scene(i // 2) for i in range(9)]
    _, found = written(tmp_path, frames)
    pixels = np.stack(frames)[:, ::2, ::2].reshape(-1, 3).astype(float)
    assert found["count"] == len(pixels)
    assert np.allclose(found["mean"], pixels.mean(axis=0))
    assert np.allclose(found["std"], pixels.std(axis=0))
    assert (found["min"] == pixels.min(axis=0)).all() and (found["max"] == pixels.max(axis=0)).all()
    for name, share in (("q01", 0.01), ("q10", 0.1), ("q50", 0.5), ("q90", 0.9), ("q99", 0.99)):
        exact = np.quantile(pixels, share, axis=0, method="inverted_cdf")
        assert np.allclose(found[name], exact), name


@pytest.mark.parametrize("frames", [0, 5])
def test_what_is_given_up_leaves_nothing(tmp_path, frames):
    encoder = VideoEncoder(10)
    encoder.start_episode(["one", "two"], tmp_path)
    for i in range(frames):
        encoder.feed_frame("one", scene(i))
    encoder.cancel_episode()
    assert not list(tmp_path.iterdir())


def test_a_second_episode_does_not_begin_with_the_first_ones_frames(tmp_path):
    encoder = VideoEncoder(10)
    encoder.start_episode(["one"], tmp_path)
    encoder.feed_frame("one", scene(0))
    encoder.start_episode(["one"], tmp_path)
    encoder.feed_frame("one", scene(1))
    encoder.feed_frame("one", scene(1))
    path, _ = encoder.finish_episode()["one"]
    assert len(list(decoded(path, 0, 99))) == 2
    assert list(tmp_path.rglob("*.mp4")) == [path]
