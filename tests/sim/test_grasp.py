"""Grasps: a weld needs both pads and a closing hand, and ends when either is gone."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuavo_sim.grasp import HOLD_TIME, LOST_TIME, RELEASE
from kuavo_sim.model.names import ROBOT_PADS
from kuavo_sim.simulation import Simulation

PIECE = "workpiece"


@pytest.fixture
def sim():
    sim = Simulation("sorting", seed=1)
    float_piece(sim, offset=0.0)
    return sim


def float_piece(sim, offset: float) -> None:
    """Put the workpiece between the right hand's pads, `offset` [m] aside, where it floats."""
    sim.model.body_gravcomp[sim.model.body(PIECE).id] = 1.0
    hand = sim.data.site("r_tcp")
    joint = sim.data.joint(PIECE)
    joint.qpos[:3] = hand.xpos + hand.xmat.reshape(3, 3) @ [0.0, offset, 0.0]
    mujoco.mju_mat2Quat(joint.qpos[3:], hand.xmat)
    joint.qvel[:] = 0.0
    mujoco.mj_forward(sim.model, sim.data)


def run(sim, seconds: float, each=lambda: None) -> None:
    for _ in range(round(seconds / sim.timestep)):
        sim.step()
        each()


def grip(sim) -> None:
    sim.robot.command_hands(np.array([0.0, 1.0]))
    run(sim, 0.8)


def welded(sim) -> bool:
    return bool(sim.data.eq_active[sim.model.equality(f"grasp_r_{PIECE}").id])


def pads_touching(sim) -> set[str]:
    me = sim.model.body(PIECE).id
    pads = {sim.model.geom(name).id: name for name in ROBOT_PADS["r"]}
    found = set()
    for pair in sim.data.contact.geom[: sim.data.ncon]:
        for pad, other in (pair, pair[::-1]):
            if pad in pads and sim.model.geom_bodyid[other] == me:
                found.add(pads[pad])
    return found


def test_closing_on_an_object_holds_it(sim):
    grip(sim)
    assert len(pads_touching(sim)) == 2
    assert sim.grasps.held_by("r") == PIECE and sim.grasps.holder_of(PIECE) == ("r",)
    assert sim.grasps.held_by("l") is None
    assert welded(sim)


def test_what_is_held_goes_where_the_hand_goes(sim):
    grip(sim)
    sim.model.body_gravcomp[sim.model.body(PIECE).id] = 0.0

    def distance() -> float:
        return float(np.linalg.norm(sim.data.body(PIECE).xpos - sim.data.site("r_tcp").xpos))

    before = distance()
    sim.robot.command_arms(sim.robot.arm_command + np.tile([-0.3, 0, 0, 0.3, 0, 0, 0], 2))
    run(sim, 1.0)
    assert sim.grasps.held_by("r") == PIECE
    assert distance() == pytest.approx(before, abs=0.005)


def test_nothing_is_held_without_a_command_to_close(sim):
    """Both pads touch, but the hand stays where it is: an object pushed between idle fingers."""
    sim.robot.command_hands(np.array([0.0, 1.0]))
    while len(pads_touching(sim)) < 2:
        sim.step()
    sim.grasps._touching_since.clear()
    sim.robot.command_hands(sim.robot.hand_closures - [0.0, 0.005])
    run(sim, 0.5)
    assert sim.grasps.held_by("r") is None and not welded(sim)


@settings(max_examples=6, deadline=None)
@given(closure=st.floats(0.0, 0.3))
def test_a_hand_that_does_not_reach_the_object_holds_nothing(closure):
    sim = Simulation("sorting", seed=1)
    float_piece(sim, offset=0.0)
    sim.robot.command_hands(np.array([0.0, closure]))
    run(sim, 0.4)
    assert not pads_touching(sim)
    assert sim.grasps.held_by("r") is None and not welded(sim)


def test_one_pad_is_not_enough(sim):
    """The object is pressed by one pad and gives way: no weld at any moment before both touch."""
    float_piece(sim, offset=0.02)
    sim.robot.command_hands(np.array([0.0, 1.0]))
    one_pad_seen = False
    while len(pads_touching(sim)) < 2:
        sim.step()
        one_pad_seen |= len(pads_touching(sim)) == 1
        assert sim.grasps.held_by("r") is None and not welded(sim)
    assert one_pad_seen


def test_a_touch_must_last(sim):
    sim.robot.command_hands(np.array([0.0, 1.0]))
    while len(pads_touching(sim)) < 2:
        sim.step()
    touched = sim.time
    while sim.grasps.held_by("r") is None:
        sim.step()
        assert sim.time - touched < 0.5
    assert sim.time - touched >= HOLD_TIME - 0.011


@settings(max_examples=6, deadline=None)
@given(share=st.floats(0.0, 0.8))
def test_opening_lets_go_at_once(share):
    sim = Simulation("sorting", seed=1)
    float_piece(sim, offset=0.0)
    grip(sim)
    assert sim.grasps.held_by("r") == PIECE
    sim.robot.command_hands(np.array([0.0, share * sim.robot.hand_closures[1]]))
    run(sim, 0.02)
    assert sim.grasps.held_by("r") is None and not welded(sim)
    run(sim, 0.3, lambda: check_free(sim))


def check_free(sim) -> None:
    assert sim.grasps.held_by("r") is None


def test_a_command_that_still_presses_still_holds(sim):
    """Less than told before, but further than the object lets the fingers go."""
    grip(sim)
    sim.robot.command_hands(np.array([0.0, 1.0 - RELEASE - 0.02]))
    run(sim, 0.3)
    assert sim.grasps.held_by("r") == PIECE


def test_a_tremble_of_the_command_does_not_let_go(sim):
    grip(sim)
    sim.robot.command_hands(np.array([0.0, 1.0 - RELEASE / 2]))
    run(sim, 0.3)
    assert sim.grasps.held_by("r") == PIECE


def test_an_object_that_is_pulled_out_is_lost(sim):
    grip(sim)
    sim.model.body_gravcomp[sim.model.body(PIECE).id] = 0.0
    pulled = sim.time
    sim.data.joint(PIECE).qpos[:3] += [0.0, 0.0, 0.3]
    sim.data.eq_active[sim.model.equality(f"grasp_r_{PIECE}").id] = 0
    run(sim, LOST_TIME + 0.05)
    assert sim.grasps.held_by("r") is None and not welded(sim)
    assert sim.time - pulled < 0.5


def test_only_what_the_scene_names_can_be_held(sim):
    names = {sim.model.equality(i).name for i in range(sim.model.neq)}
    assert names == {f"grasp_{side}_{name}" for side in "lr" for name in sim.scene.graspable}
    assert not sim.data.eq_active.any()
