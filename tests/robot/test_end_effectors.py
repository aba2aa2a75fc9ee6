"""Every hand: 0 is open, 1 is closed, whatever its topic says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_deploy.robot.end_effectors import END_EFFECTORS, Claw, DexHand, get_end_effector

closures = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(np.array)


@pytest.mark.parametrize("name", sorted(END_EFFECTORS))
@given(closure=closures)
def test_commands_round_trip(name, closure):
    effector = END_EFFECTORS[name]
    # the dexterous hand takes whole numbers
    tolerance = 0.005 if name == "qiangnao" else 1e-12
    back = effector.closure_from_command(effector.command(closure))
    assert np.allclose(back, closure, atol=tolerance)


def test_the_claw_closes_at_100_unless_configured_otherwise():
    assert Claw().command(np.array([0.0, 1.0])).tolist() == [0.0, 100.0]
    assert Claw(closed_at=0.0).command(np.array([0.0, 1.0])).tolist() == [100.0, 0.0]
    assert Claw(closed_at=0.0).closure_from_state(np.array([100.0, 25.0])).tolist() == [0.0, 0.75]


def test_the_claw_s_convention_is_told_by_name():
    turned = get_end_effector("claw", 0)
    assert turned.command(np.array([0.0, 1.0])).tolist() == [100.0, 0.0]
    assert get_end_effector("2f85", 0) is get_end_effector("2f85")
    with pytest.raises(ValueError, match="0 or 100"):
        get_end_effector("claw", 50)


def test_the_dexterous_hand_keeps_its_opposition_finger_at_100():
    assert DexHand().command(np.array([0.0, 1.0])).tolist() == [0, 100, 0, 0, 0, 0] + [100] * 6
    assert DexHand().closure_from_state(np.array([0, 100, 0, 0, 0, 0] + [100] * 6)).tolist() == [
        0,
        1,
    ]


def test_the_2f85_has_another_scale_for_state_than_for_command():
    gripper = get_end_effector("2f85")
    assert gripper.closure_from_state(np.array([0.4, 0.8])).tolist() == [0.5, 1.0]
    assert gripper.command(np.array([1.0, 0.0])).tolist() == [255.0, 0.0]


@pytest.mark.parametrize("name", sorted(END_EFFECTORS))
@pytest.mark.parametrize("bad", [[0.5], [0.5, np.nan], [np.inf, 0.0], [0.1, 0.2, 0.3]])
def test_wrong_commands_are_refused(name, bad):
    with pytest.raises(ValueError, match=r"expected|not finite"):
        END_EFFECTORS[name].command(np.array(bad))


@pytest.mark.parametrize("name", sorted(END_EFFECTORS))
def test_commands_never_leave_the_scale(name):
    effector = END_EFFECTORS[name]
    assert np.array_equal(
        effector.command(np.array([-3.0, 7.0])), effector.command(np.array([0.0, 1.0]))
    )


def test_an_unknown_hand_is_refused_with_the_list():
    with pytest.raises(ValueError, match="lejuclaw"):
        get_end_effector("tentacle")
