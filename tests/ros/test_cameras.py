"""Images come from a copy of the state, in their own thread, and never hold the physics up."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import pytest

from kuavo_deploy.robot import topics
from kuavo_sim.ros.cameras import CameraOptions, Cameras, Shutter
from kuavo_sim.ros.world import World

SMALL = CameraOptions(width=64, height=48, depth=True, overview=True)


def take_pictures(
    shutter: Shutter, options: CameraOptions = SMALL, wanted: str | None = None
) -> dict[str, bytes]:
    taken: dict[str, bytes] = {}
    cameras = Cameras(
        shutter,
        options,
        lambda name, stamp, payload: taken.update({name: payload}),
        lambda name: wanted in (None, name),
    )
    assert cameras.serve_once(timeout=5.0)
    return taken


def test_every_camera_is_rendered(world: World) -> None:
    shutter = Shutter()
    shutter.expose(world.sim, 1)
    taken = take_pictures(shutter)
    assert set(taken) == {*topics.CAMERAS, "overview", *topics.DEPTH_TOPICS}
    for name in (*topics.CAMERAS, "overview"):
        image = cv2.imdecode(np.frombuffer(taken[name], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (48, 64, 3)


def test_images_are_those_of_the_simulation(world: World) -> None:
    shutter = Shutter()
    shutter.expose(world.sim, 1)
    options = CameraOptions(width=64, height=48, quality=100)
    jpeg = take_pictures(shutter, options)["head_cam_h"]
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    expected = world.sim.render("head_cam_h", 48, 64)
    # chroma is subsampled: compare brightness
    difference = image.mean(axis=2) - expected.astype(float).mean(axis=2)
    assert np.abs(difference).mean() < 3


def test_shadows_may_be_left_out(world: World) -> None:
    bright = {}
    for shadows in (True, False):
        shutter = Shutter()
        shutter.expose(world.sim, 1)
        options = CameraOptions(width=64, height=48, quality=100, shadows=shadows)
        jpeg = take_pictures(shutter, options)["head_cam_h"]
        bright[shadows] = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert (bright[False] - bright[True] > 20).mean() > 0.01


def test_nobody_looking_means_no_rendering(world: World) -> None:
    shutter = Shutter()
    shutter.expose(world.sim, 1)
    assert set(take_pictures(shutter, wanted="wrist_cam_l")) == {"wrist_cam_l"}


def test_busy_cameras_skip_the_older_state(world: World) -> None:
    shutter = Shutter()
    for stamp in (1, 2, 3):
        shutter.expose(world.sim, stamp)
    assert shutter.skipped == 2
    snapshot = shutter.take(0.0)
    assert snapshot is not None
    assert snapshot.stamp == 3
    shutter.expose(world.sim, 4)
    assert shutter.skipped == 2
    assert shutter.take(0.0) is not snapshot


def test_a_snapshot_does_not_move_with_the_simulation(world: World) -> None:
    shutter = Shutter()
    shutter.expose(world.sim, 1)
    snapshot = shutter.take(0.0)
    assert snapshot is not None
    before = snapshot.data.qpos.copy()
    world.body.base.walk_to(-0.5, 0.0, 0.0)
    for _ in range(200):
        world.step()
    assert (snapshot.data.qpos == before).all()
    assert world.sim.data.qpos[0] != before[0]


def test_patience_waits_for_the_cameras_instead(world: World) -> None:
    shutter = Shutter(patience=5.0)
    shutter.expose(world.sim, 1)
    seen: list[int] = []

    def work() -> None:
        for _ in range(2):
            snapshot = shutter.take(5.0)
            assert snapshot is not None
            time.sleep(0.05)
            seen.append(snapshot.stamp)
            shutter.give_back(snapshot)

    thread = threading.Thread(target=work)
    thread.start()
    shutter.expose(world.sim, 2)
    thread.join(10)
    assert seen == [1, 2]
    assert shutter.skipped == 0


@pytest.mark.parametrize("task", ["placement"])
def test_a_reset_changes_the_model_under_the_cameras(world: World, task: str) -> None:
    shutter = Shutter()
    taken: list[tuple[str, int]] = []
    cameras = Cameras(
        shutter,
        CameraOptions(64, 48),
        lambda name, stamp, payload: taken.append((name, stamp)),
    )
    shutter.expose(world.sim, 1)
    assert cameras.serve_once(5.0)
    world.reset(task, 1)
    shutter.expose(world.sim, 2)
    assert cameras.serve_once(5.0)
    assert {stamp for _, stamp in taken} == {1, 2}
