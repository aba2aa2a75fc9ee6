"""Task 2: weighed means weighed, and the expert goes by the display."""

import numpy as np
import pytest

from kuavo_deploy.robot.version import load_limits
from kuavo_sim.scenes.conveyor import TABLE_TOP
from kuavo_sim.scenes.scale import Reading
from kuavo_train.tasks.registry import configs_root

STAGES = ("grasped", "on_scale", "weighed", "re_grasped", "in_bin")
VELOCITY = load_limits(45, configs_root() / "robot").velocity


@pytest.fixture
def start(cell):
    return lambda seed: cell("weighing", seed)


def on_scale(one, z=0.002):
    x, y, _ = one.scene.scale.position
    return np.array([x, y, one.scene.scale.top + one.scene.parcel.half[2] + z])


def in_bin(one):
    return np.array([*one.scene.bin, TABLE_TOP + 0.09])


@pytest.mark.parametrize("seed", range(1000, 1005))
def test_the_expert_does_the_task_in_order_within_velocity_limits(start, seed):
    one = start(seed).run()
    assert one.info["success"], one.info
    assert one.stages == STAGES
    times = list(one.sim.progress.stages.values())
    assert times == sorted(times) and times[-1] < 25
    assert times[2] - times[1] > 0.5, "a weight takes time to settle"
    assert np.all(one.peak_velocity() < VELOCITY)
    assert one.scene.scale.grams == pytest.approx(1000 * one.scene.parcel.mass, abs=5)
    assert not one.sim.outcomes["moving_grasp"].success


@pytest.mark.parametrize("place", [on_scale, in_bin])
def test_a_parcel_moved_by_magic_reaches_no_stage(start, place):
    one = start(3)
    one.put(tuple(place(one)))
    one.rest(2.5)
    assert one.stages == ()


def test_straight_into_the_bin_is_not_the_task(start):
    one = start(3).run(until=lambda one: one.expert.holds)
    one.do(one.expert.lift(0.05))
    one.do(one.expert.carry(in_bin(one), -0.15, above=0.06))
    one.do(one.expert.release(up=0.06))
    one.rest(0.5)
    assert one.scene.in_bin(one.sim)
    assert one.stages == ("grasped",) and not one.info["success"]


def test_a_parcel_in_the_hand_is_not_weighed(start):
    one = start(3).run(until=lambda one: one.expert.holds)
    one.do(one.expert.lift(0.05))
    one.do(one.expert.carry(on_scale(one), 0.0, above=0.05))
    one.rest(2.0)
    assert one.expert.holds and one.stages == ("grasped",)


@pytest.mark.parametrize("seed", range(1000, 1003))
def test_while_it_waits_the_hand_may_sink_a_centimetre_and_is_not_weighed(start, seed):
    one = start(seed).run(until=lambda one: one.scene.scale.reading is Reading.HOLDING)
    assert one.expert.is_around and not one.scene.in_hand(one.sim)
    for pad in map(one.sim.data.geom, ("r_pad_in", "r_pad_out")):
        half = one.sim.model.geom(pad.id).size
        lowest = pad.xpos[2] - np.abs(pad.xmat.reshape(3, 3)[2]) @ half
        assert lowest > one.scene.scale.top + 0.01


def test_taken_from_the_scale_too_early_is_not_weighed(start):
    one = start(3).run(until=lambda one: "on_scale" in one.stages)
    assert one.scene.scale.reading is Reading.SETTLING
    one.put((0.25, -0.13, TABLE_TOP + one.scene.parcel.half[2] + 0.002))
    one.rest(1.0)
    assert one.stages == STAGES[:2] and one.scene.scale.reading is Reading.EMPTY
    assert one.run().info["success"], "the expert weighs it again"


def test_the_other_task_of_the_cell_is_seen(cell):
    one = cell("moving_grasp", 6, demonstrates="weighing").run(
        until=lambda one: one.sim.outcomes["weighing"].success
    )
    assert one.sim.outcomes["weighing"].success
    assert not one.info["success"] and one.info["stage"] in ("off_belt", "on_table")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_takes_the_parcel_again_after_a_slip_on_the_way_to_the_scale(start, seed):
    one = start(seed).run(until=lambda one: one.expert.holds)
    one.do(one.expert.act() for _ in range(14))
    one.slip()
    assert not one.scene.held(one.sim)
    assert one.run().info["success"], one.info


@pytest.mark.parametrize("seed", [1, 4])
def test_it_takes_the_parcel_again_after_a_slip_on_the_way_to_the_bin(start, seed):
    one = start(seed).run(until=lambda one: "re_grasped" in one.stages)
    one.do(one.expert.act() for _ in range(2))
    one.slip()
    assert one.run().info["success"], one.info


def test_it_answers_a_knock_off_the_scale(start):
    one = start(2).run(until=lambda one: "on_scale" in one.stages)
    one.do(one.expert.act() for _ in range(8))
    one.knock((-0.2, 0.9), spin=2.0)
    assert one.run().info["success"], one.info
