"""Labels of rendered frames agree with what the pictures show."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from kuavo_deploy.robot.topics import CAMERAS
from kuavo_sim.experts.ik import ArmIK
from kuavo_sim.frames.cameras import Segmenter, letterboxed, project
from kuavo_sim.frames.moments import Moments
from kuavo_sim.frames.motions import Motions
from kuavo_sim.frames.render import ShardJob, read_shard, render_frames, render_shard
from kuavo_sim.frames.things import BOTTLE_COLOURS, CLASSES, class_of_geoms, things
from kuavo_sim.model.names import BASE_HEIGHT
from kuavo_sim.simulation import Simulation
from kuavo_train.policy.preprocessing import image_tensor
from kuavo_train.pretraining import run
from kuavo_train.pretraining.phrases import names

pytestmark = pytest.mark.xdist_group("frames")  # they share a scene of each task

TASKS = ("weighing", "placement", "sorting")
COMPACT = {"parcel", "area", "mat", "bottle", "workpiece", "display", "bin", "tray"}
HEIGHT, WIDTH = 240, 320


@pytest.fixture(scope="module", params=TASKS)
def sim(request):
    simulation = Simulation(request.param, 5)
    yield simulation
    simulation.close()


def test_projected_middles_lie_in_the_middle_of_the_pixels_that_show_the_thing(sim):
    segmenter = Segmenter(sim, HEIGHT, WIDTH)
    named = [t for t in things(sim) if t.kind in COMPACT]
    seen = segmenter(sim.data, "head_cam_h")
    segmenter.close()
    found = project(sim, "head_cam_h", np.array([t.position(sim) for t in named]))
    checked = 0
    for thing, place, inside in zip(named, found.places, found.inside, strict=True):
        rows, columns = np.nonzero(np.isin(seen, thing.geoms(sim)))
        if not inside or len(rows) < 40:
            continue
        middle = (np.array([columns.mean(), rows.mean()]) + 0.5) / (WIDTH, HEIGHT) * 2 - 1
        size = np.hypot(np.ptp(columns) / WIDTH, np.ptp(rows) / HEIGHT) * 2
        assert np.linalg.norm(place - middle) < 0.3 * size, thing
        checked += 1
    assert checked >= 1


def test_places_survive_the_letterbox():
    image = np.zeros((480, 640, 3), np.uint8)
    image[96:112, 400:416] = 255
    place = (np.array([408, 104]) / (640, 480)) * 2 - 1
    seen = image_tensor(image, (96, 96))[0].numpy()
    rows, columns = np.nonzero(seen > 0.5 * seen.max())
    middle = (np.array([columns.mean(), rows.mean()]) + 0.5) / 96 * 2 - 1
    np.testing.assert_allclose(letterboxed(place), middle, atol=1 / 96)


def test_metres_per_unit_are_those_of_a_pinhole(sim):
    point = things(sim)[-1].position(sim)
    view = sim.data.cam("head_cam_h")
    right = view.xmat.reshape(3, 3)[:, 0]
    both = project(sim, "head_cam_h", np.array([point, point + 0.01 * right]))
    assert np.diff(both.places[:, 0])[0] * both.metres[0] == pytest.approx(0.01)


def test_what_lies_behind_the_camera_is_not_in_the_picture(sim):
    view = sim.data.cam("head_cam_h")
    behind = view.xpos + view.xmat.reshape(3, 3)[:, 2]
    assert not project(sim, "head_cam_h", behind[None]).inside[0]


def test_every_class_has_its_name_and_every_thing_its_names(sim):
    named = things(sim)
    assert run.BOTTLE_COLOURS == BOTTLE_COLOURS
    for thing in named:
        assert names(thing.kind, thing.details)
        assert thing.kind in CLASSES
        assert len(thing.geoms(sim)), thing
    every = [name for t in named for name in names(t.kind, t.details)]
    assert len(every) == len(set(every)), "two things of one scene share a name"
    assert class_of_geoms(sim).max() < len(CLASSES)


def test_motions_bring_the_hand_to_the_thing(sim):
    moments = Moments(sim, np.random.default_rng(2))
    named = things(sim)
    motions = Motions(sim, moments, named, 80, np.random.default_rng(3))
    ik = ArmIK(sim.scene.start_arms)
    reached = 0
    for _ in range(4):
        moments.draw()
        for motion in motions.draw(4):
            arms = np.delete(motion.chunk[:, :16], [7, 15], axis=1)
            speed = np.abs(np.diff(np.vstack([moments.arms, arms]), axis=0)).max() * 10
            assert speed < 1.21
            if motion.kind != "at":
                continue
            position, _ = ik.hand_pose(arms[-1], motion.side)
            c, s = np.cos(moments.base.yaw), np.sin(moments.base.yaw)
            world = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ position
            world += [moments.base.x, moments.base.y, BASE_HEIGHT]
            thing = named[motion.thing]
            target = thing.position(sim) + [0, 0, thing.height]
            assert np.linalg.norm(world - target) < 0.02, motion
            reached += 1
    assert reached


def test_a_moment_is_consistent_and_the_same_for_the_same_seed(sim):
    drawn = []
    for _ in range(2):
        moments = Moments(sim, np.random.default_rng(4))
        for _ in range(3):
            moments.draw()
        drawn.append(sim.data.qpos.copy())
        np.testing.assert_allclose(sim.robot.arm_positions, moments.arms)
        np.testing.assert_allclose(sim.robot.hand_closures, moments.closures, atol=1e-9)
    np.testing.assert_array_equal(*drawn)
    mujoco.mj_step(sim.model, sim.data)
    assert np.isfinite(sim.data.qpos).all()


def test_rendering_goes_on_where_it_stopped_and_gives_the_same_again(tmp_path):
    job = ShardJob(tmp_path / "once", "placement", 3, 2, 32, 4)
    job.folder.mkdir()
    render_shard(job)
    first = read_shard(job.path)
    assert first["images"].shape == (2, len(CAMERAS), 32, 32, 3)
    assert first["chunks"].shape[1:] == (4, 20)
    assert len(first["about"]["motions"]) == len(first["chunks"])
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / job.path.name).write_bytes(job.path.read_bytes())
    kept = (folder / job.path.name).stat().st_mtime_ns
    render_frames(folder, scenes=1, frames=1, size=32, steps=4, seed=3, workers=1)
    assert (folder / job.path.name).stat().st_mtime_ns == kept
    assert len(list(folder.glob("*.npz"))) == 4
    assert not list(folder.glob(".*"))
    job.path.unlink()
    render_shard(job)
    again = read_shard(job.path)
    for name in ("classes", "states", "places", "visible", "chunks"):
        np.testing.assert_array_equal(first[name], again[name])
    away = np.abs(first["images"].astype(int) - again["images"]).mean()
    assert away < 0.5
