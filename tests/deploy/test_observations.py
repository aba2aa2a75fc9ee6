"""Only observations that are fresh and belong together reach the policy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kuavo_deploy.policy.observations import NotReady, ObservationBuffer, ObservationSettings
from kuavo_deploy.robot import topics

CAMERAS = topics.CAMERAS
NOW = 100.0


def filled(now: float = NOW, **settings: object) -> ObservationBuffer:
    """A buffer whose sources all spoke at `now`."""
    buffer = ObservationBuffer(CAMERAS, ObservationSettings(**settings))  # type: ignore[arg-type]
    speak(buffer, now)
    return buffer


def speak(buffer: ObservationBuffer, now: float, without: str = "") -> None:
    for camera in CAMERAS:
        if camera != without:
            buffer.on_image(camera, camera.encode(), now, now)
    if without != "joints":
        buffer.on_joints(np.arange(28) / 100, now, now)
    if without != "hands":
        buffer.on_hands(np.array([0.25, 0.75]), now, now)


def test_an_observation_holds_the_undecoded_images_and_the_state_in_its_order() -> None:
    seen = filled().snapshot(NOW)
    assert seen.stamp == NOW
    assert seen.jpegs == {camera: camera.encode() for camera in CAMERAS}
    assert np.allclose(seen.state[:7], np.arange(12, 19) / 100)
    assert np.allclose(seen.state[8:15], np.arange(19, 26) / 100)
    assert (seen.state[7], seen.state[15]) == (0.25, 0.75)


def test_each_source_gives_its_message_nearest_to_the_head_camera() -> None:
    buffer = ObservationBuffer(CAMERAS, ObservationSettings())
    for offset in (-0.02, -0.004, 0.006, 0.02):
        stamp = NOW + offset
        buffer.on_image("wrist_cam_l", b"%f" % offset, stamp, NOW + 1)
        buffer.on_image("wrist_cam_r", b"%f" % offset, stamp, NOW + 1)
        buffer.on_joints(np.full(28, offset), stamp, NOW + 1)
        buffer.on_hands(np.full(2, abs(offset)), stamp, NOW + 1)
    buffer.on_image("head_cam_h", b"head", NOW, NOW + 1)
    seen = buffer.snapshot(NOW + 0.1)
    assert seen.jpegs["wrist_cam_l"] == b"%f" % -0.004
    assert seen.state[0] == -0.004
    assert seen.skews["joints"] == pytest.approx(0.004)


@pytest.mark.parametrize("source", [*CAMERAS, "joints", "hands"])
def test_a_source_that_is_missing_or_stale_is_named(source: str) -> None:
    buffer = ObservationBuffer(CAMERAS, ObservationSettings())
    speak(buffer, NOW, without=source)
    with pytest.raises(NotReady, match=f"{source} is not there"):
        buffer.snapshot(NOW)
    buffer = filled(NOW - 0.5)
    speak(buffer, NOW, without=source)
    with pytest.raises(NotReady, match=f"{source} is 0.50 s old, 0.30 s are allowed"):
        buffer.snapshot(NOW)


def test_the_bounds_are_each_source_s_own() -> None:
    buffer = filled(max_age={"hands": 2.0}, max_skew={"hands": 2.0})
    speak(buffer, NOW + 0.5, without="hands")
    assert buffer.snapshot(NOW + 0.5).skews["hands"] == pytest.approx(0.5)


def test_messages_that_do_not_belong_together_are_refused() -> None:
    buffer = ObservationBuffer(CAMERAS, ObservationSettings())
    speak(buffer, NOW, without="head_cam_h")
    buffer.on_image("head_cam_h", b"newer", NOW + 0.1, NOW + 0.1)
    with pytest.raises(NotReady, match="wrist_cam_l is 100 ms from the head camera's image"):
        buffer.snapshot(NOW + 0.1)


def test_a_head_image_that_is_ahead_of_the_others_waits_for_them() -> None:
    buffer = filled()
    buffer.on_image("head_cam_h", b"newer", NOW + 0.1, NOW + 0.1)
    assert buffer.snapshot(NOW + 0.1).stamp == NOW, "the last moment of which all is there"
    speak(buffer, NOW + 0.1, without="head_cam_h")
    assert buffer.snapshot(NOW + 0.11).jpegs["head_cam_h"] == b"newer"
    speak(buffer, NOW + 0.5, without="wrist_cam_l")
    with pytest.raises(NotReady, match="wrist_cam_l is 0.4"):
        buffer.snapshot(NOW + 0.5)


@pytest.mark.parametrize(
    ("stamp", "said"),
    [(0.0, "no stamp"), (math.nan, "no stamp"), (NOW + 1, "future"), (NOW - 1, "backwards"),
     (NOW, "repeats")],
)  # fmt: skip
def test_impossible_stamps_do_not_count(stamp: float, said: str) -> None:
    buffer = filled()
    later = NOW + 0.4
    speak(buffer, later, without="wrist_cam_r")
    buffer.on_image("wrist_cam_r", b"x", stamp, NOW)
    with pytest.raises(NotReady, match=said):
        buffer.snapshot(later)


def test_another_robot_s_joints_are_an_error() -> None:
    buffer = filled()
    with pytest.raises(ValueError, match="27 joints"):
        buffer.on_joints(np.zeros(27), NOW, NOW)
    with pytest.raises(ValueError, match="not finite"):
        buffer.on_joints(np.full(28, np.nan), NOW, NOW)


def test_memory_is_bounded() -> None:
    buffer = ObservationBuffer(CAMERAS, ObservationSettings(keep=1.0))
    for tick in range(5000):
        now = NOW + tick * 0.002
        speak(buffer, now)
    assert all(len(source._messages) <= 502 for source in buffer._sources())


def test_unknown_cameras_are_refused() -> None:
    with pytest.raises(ValueError, match="choose from head_cam_h"):
        ObservationBuffer(["front"], ObservationSettings())
