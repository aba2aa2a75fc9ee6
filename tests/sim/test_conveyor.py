"""The parcel cell of tasks 1 and 2: one layout, a belt that drags, a scale that weighs."""

import mujoco
import numpy as np
import pytest

from kuavo_sim.scenes import scene_class
from kuavo_sim.scenes.belt import BELT_END, BELT_X, HALF_WIDTH
from kuavo_sim.scenes.conveyor import (
    AREA_HALF,
    BELT_SPEED,
    BIN_HALF,
    PARCEL_SPREAD,
    PARCEL_START,
    PARCEL_YAW,
    SPREAD,
)
from kuavo_sim.scenes.parcel import PARCEL, pillow
from kuavo_sim.scenes.scale import PLATFORM_HALF, Reading
from kuavo_sim.simulation import Simulation

SEEDS = range(300)


@pytest.fixture(scope="module")
def scenes():
    return [scene_class("weighing")(np.random.default_rng(seed)) for seed in SEEDS]


def run(sim, seconds):
    for _ in range(round(seconds / sim.timestep)):
        sim.step()


# what is drawn


@pytest.mark.parametrize("seed", [0, 7])
def test_only_the_instruction_tells_the_two_tasks_apart(seed):
    one, two = Simulation("moving_grasp", seed), Simulation("weighing", seed)
    for name in ("geom_pos", "geom_size", "geom_rgba", "geom_matid", "body_pos", "light_pos"):
        assert np.array_equal(getattr(one.model, name), getattr(two.model, name)), name
    assert np.array_equal(one.data.qpos, two.data.qpos)
    assert one.scene.head == two.scene.head
    assert [r.task for r in one.rubrics] == ["moving_grasp", "weighing"]
    assert [r.task for r in two.rubrics] == ["weighing", "moving_grasp"]


def test_the_same_seed_gives_the_same_cell_and_another_seed_another_one():
    a, b, c = (Simulation("weighing", seed) for seed in (4, 4, 5))
    run(a, 0.5), run(b, 0.5)
    assert np.array_equal(a.data.qpos, b.data.qpos)
    assert not np.allclose(a.model.body("scale").pos, c.model.body("scale").pos, atol=1e-4)


def test_the_randomization_is_as_wide_as_promised(scenes):
    def spread(value):
        drawn = np.array([value(scene) for scene in scenes])
        return drawn.min(axis=0), drawn.max(axis=0)

    for value, low, high in (
        (lambda s: s.belt.speed, *BELT_SPEED),
        (lambda s: s.parcel_start[1], PARCEL_START - PARCEL_SPREAD, PARCEL_START + PARCEL_SPREAD),
        (lambda s: s.parcel_yaw, -PARCEL_YAW, PARCEL_YAW),
        (lambda s: s.parcel.mass, 0.12, 0.45),
        (lambda s: 2 * s.parcel.half[0], 0.07, 0.11),
        (lambda s: 2 * s.parcel.half[1], 0.05, 0.074),
    ):
        least, most = spread(value)
        assert low <= least < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < most <= high
    for value in (lambda s: s.area, lambda s: s.scale.position[:2], lambda s: s.bin):
        least, most = spread(value)
        assert np.all(most - least > 1.8 * SPREAD) and np.all(most - least <= 2 * SPREAD)
    assert np.allclose(BELT_SPEED, (0.05 * 0.7, 0.05 * 1.3))
    assert {scene.parcel.kind for scene in scenes} == {"box", "bag"}
    assert len({scene.parcel.rgb for scene in scenes}) == len(scenes)


def test_area_scale_bin_and_belt_never_overlap(scenes):
    for scene in scenes:
        x, y, _ = scene.scale.position
        assert scene.bin[1] + BIN_HALF[1] + 0.012 < y - PLATFORM_HALF
        assert scene.scale.left_edge < scene.area[1] - AREA_HALF - 0.08
        frame = BELT_X - HALF_WIDTH - 0.02
        assert max(scene.area[0] + AREA_HALF, x + PLATFORM_HALF) < frame
        assert scene.bin[0] + BIN_HALF[0] + 0.012 < frame


# the belt


@pytest.mark.parametrize("seed", range(6))
def test_the_belt_drags_the_parcel_at_its_speed(seed):
    sim = Simulation("weighing", seed)
    run(sim, 0.3)
    start = sim.scene.position(sim)
    mark = sim.model.geom("belt_mark_3").pos[1]
    run(sim, 1.0)
    way = sim.scene.position(sim) - start
    assert way[1] == pytest.approx(-sim.scene.belt.speed, rel=0.03)
    assert abs(way[0]) < 0.002
    assert sim.model.geom("belt_mark_3").pos[1] - mark == pytest.approx(way[1], rel=0.03)
    assert abs(sim.data.joint("belt").qpos[0]) < 1e-3


def test_it_drags_by_friction_only():
    sim = Simulation("weighing", 1)
    sim.model.geom("belt").friction[:] = sim.model.geom(PARCEL).friction[:] = 1e-5
    start = sim.scene.position(sim)
    run(sim, 1.0)
    assert np.abs(sim.scene.position(sim) - start)[1] < 0.2 * sim.scene.belt.speed


@pytest.mark.parametrize("task", ["moving_grasp", "weighing"])
def test_a_parcel_that_nobody_takes_falls_into_the_reject_tray(cell, task):
    one = cell(task, 2)
    one.put((BELT_X, BELT_END + 0.12, one.scene.position(one.sim)[2]))
    while not one.over:
        one.rest(0.1)
    assert one.info["failure"].startswith("missed") and one.stages == ()
    assert one.sim.outcomes["weighing"].failure == one.sim.outcomes["moving_grasp"].failure


@pytest.mark.parametrize("task", ["moving_grasp", "weighing"])
def test_a_parcel_on_the_floor_is_a_failure(cell, task):
    one = cell(task, 2)
    one.put((0.9, 0.3, 0.6))
    one.rest(1.0)
    assert one.info["failure"].startswith("dropped") and not one.info["success"]


# the scale


def number_shown(sim):
    """What a reader sees: the segments that are inked, as a number."""
    glyphs = dict(zip(_GLYPHS.split(), "0123456789", strict=True))
    text = ""
    for digit in range(3):
        lit = "".join(s for s in "abcdefg" if sim.model.geom(f"scale_{digit}{s}").rgba[3] > 0.5)
        text += glyphs[lit] if lit else " "
    return int(text)


_GLYPHS = "abcdef bc abdeg abcdg bcfg acdfg acdefg abc abcdefg abcdfg"


def lay_on_scale(one):
    x, y, _ = one.scene.scale.position
    one.put((x, y, one.scene.scale.top + one.scene.parcel.half[2] + 0.002))


@pytest.mark.parametrize("seed", range(4))
def test_the_scale_settles_within_two_seconds_on_the_parcels_weight(cell, seed):
    one = cell("weighing", seed)
    scale, sim = one.scene.scale, one.sim
    assert scale.reading is Reading.EMPTY and number_shown(sim) == 0
    lay_on_scale(one)
    seen = []
    for _ in range(100):
        run(sim, 0.02)
        seen.append((scale.reading, number_shown(sim)))
    readings = [reading for reading, _ in seen]
    settled = 0.02 * readings.index(Reading.HOLDING)
    assert 0.8 < settled < 2.0
    changing = {number for reading, number in seen if reading is Reading.SETTLING}
    assert len(changing) >= 3
    assert number_shown(sim) == scale.grams
    assert scale.grams == pytest.approx(1000 * one.scene.parcel.mass, abs=2)


def test_the_lamp_and_the_backlight_change_colour_when_the_weight_is_stable(cell):
    one = cell("weighing", 1)
    colours = [one.sim.model.geom(n).rgba.copy() for n in ("scale_lamp", "scale_backlight")]
    lay_on_scale(one)
    one.rest(2.0)
    for name, before in zip(("scale_lamp", "scale_backlight"), colours, strict=True):
        after = one.sim.model.geom(name).rgba
        assert after[1] - after[0] > 0.3 and np.abs(after - before).max() > 0.2


def test_the_display_holds_the_weight_until_a_new_load_comes(cell):
    one = cell("weighing", 1)
    scale = one.scene.scale
    lay_on_scale(one)
    one.rest(2.0)
    weight = scale.grams
    x, y = one.scene.area
    one.put((x, y, 0.78))
    one.rest(1.0)
    assert scale.reading is Reading.HOLDING and scale.grams == weight
    lay_on_scale(one)
    run(one.sim, 0.4)
    assert scale.reading is Reading.SETTLING
    one.rest(2.0)
    assert scale.reading is Reading.HOLDING and scale.grams == pytest.approx(weight, abs=2)


def test_the_scale_weighs_forces_not_parcels(cell):
    one = cell("weighing", 1)
    platform = one.sim.model.body("scale_platform").id
    one.sim.data.xfrc_applied[platform, 2] = -0.5 * 9.81
    one.rest(2.0)
    assert one.scene.scale.grams == pytest.approx(500, abs=3)


# looks


def test_the_head_camera_sees_all_that_matters():
    sim = Simulation("weighing", 0)
    renderer = mujoco.Renderer(sim.model, 240, 320)
    try:
        renderer.enable_segmentation_rendering()
        renderer.update_scene(sim.data, "head_cam_h")
        ids = renderer.render()[..., 0]
    finally:
        renderer.close()
    seen, pixels = np.unique(ids[ids >= 0], return_counts=True)
    bodies = sim.model.geom_bodyid[seen]
    for name, least in ((PARCEL, 200), ("area", 200), ("scale_panel", 60), ("bin", 200)):
        assert pixels[bodies == sim.model.body(name).id].sum() > least, name


def test_a_pillow_is_closed_and_fits_its_box():
    half = np.array([0.05, 0.03, 0.025])
    vertices, faces = pillow(half)
    assert np.allclose(np.abs(vertices).max(axis=0), half, rtol=0.02)
    edges = np.sort(np.vstack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert np.all(np.unique(edges, axis=0, return_counts=True)[1] == 2)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6
    assert 0.5 * np.prod(2 * half) < volume < np.prod(2 * half)
