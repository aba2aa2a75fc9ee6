"""Hand commands: three vocabularies, one simulated claw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_deploy.robot.end_effectors import END_EFFECTORS, Claw, get_end_effector
from kuavo_sim.robot import HAND_SPEED
from kuavo_sim.ros.hands import HandControl
from kuavo_sim.ros.refused import Refused

BOTH = ["left_claw", "right_claw"]


def hands(name: str = "lejuclaw") -> HandControl:
    return HandControl(get_end_effector(name), np.zeros(2))


def test_claw_100_closes() -> None:
    control = hands()
    control.claw(BOTH, [100.0, 25.0], [100.0, 100.0], [1.0, 1.0])
    assert control.closures == pytest.approx([1.0, 0.25])
    assert control.speeds == pytest.approx([HAND_SPEED] * 2)


def test_claw_scale_can_be_reversed() -> None:
    control = HandControl(Claw(closed_at=0.0), np.zeros(2))
    control.claw(BOTH, [100.0, 25.0], [], [])
    assert control.closures == pytest.approx([0.0, 0.75])


def test_names_decide_which_claw() -> None:
    control = hands()
    control.claw(["right_claw", "left_claw"], [10.0, 90.0], [20.0, 80.0], [])
    assert control.closures == pytest.approx([0.9, 0.1])
    assert control.speeds == pytest.approx([0.8 * HAND_SPEED, 0.2 * HAND_SPEED])
    control.claw(["left_claw"], [0.0], [], [])
    assert control.closures == pytest.approx([0.0, 0.1])


def test_velocity_defaults_to_half_speed() -> None:
    control = hands()
    control.claw([], [50.0, 50.0], [], [])
    assert control.speeds == pytest.approx([HAND_SPEED / 2] * 2)


@pytest.mark.parametrize(
    ("names", "position", "velocity", "why"),
    [
        (BOTH, [np.nan, 0], [], "not finite"),
        (BOTH, [101.0, 0], [], "0…100"),
        (BOTH, [-1.0, 0], [], "0…100"),
        (BOTH, [1.0], [], "expected 2"),
        (BOTH, [1.0, 1.0], [500.0, 1.0], "0…100"),
        (["left"], [1.0], [], "left_claw and right_claw"),
        (["left_claw", "left_claw"], [1.0, 1.0], [], "left_claw and right_claw"),
    ],
)
def test_wrong_claw_commands_change_nothing(
    names: list[str], position: list[float], velocity: list[float], why: str
) -> None:
    control = hands()
    with pytest.raises(Refused, match=why):
        control.claw(names, position, velocity, [])
    assert (control.closures == 0).all()
    assert (control.speeds == HAND_SPEED).all()


def test_dexterous_hand_opens_and_makes_a_fist() -> None:
    control = hands("qiangnao")
    control.dexterous([100] * 6, [0, 100, 0, 0, 0, 0])
    assert control.closures == pytest.approx([1.0, 0.0])
    control.dexterous([], bytes([100] * 6))
    assert control.closures == pytest.approx([1.0, 1.0])


def test_gripper_counts_to_255() -> None:
    control = hands("rq2f85")
    control.gripper([255.0, 51.0])
    assert control.closures == pytest.approx([1.0, 0.2])


def test_a_hand_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(Refused, match="has qiangnao, not lejuclaw"):
        hands("qiangnao").claw(BOTH, [1.0, 1.0], [], [])
    with pytest.raises(Refused, match="has lejuclaw, not qiangnao"):
        hands().dexterous([100] * 6, [100] * 6)
    with pytest.raises(Refused, match="has lejuclaw, not rq2f85"):
        hands().gripper([1.0, 1.0])


@pytest.mark.parametrize("name", sorted(END_EFFECTORS))
@given(closures=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_state_says_what_the_hands_do(name: str, closures: tuple[float, float]) -> None:
    effector = get_end_effector(name)
    assert effector.closure_from_state(effector.state(np.array(closures))) == pytest.approx(
        closures, abs=1e-9
    )
