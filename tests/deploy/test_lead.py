"""How far the arms' target may be ahead of the arms."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kuavo_deploy.safety.feedback import Sample
from kuavo_deploy.safety.lead import within_lead

ARMS = arrays(np.float64, 14, elements=st.floats(-3, 3))


@given(ARMS, ARMS, st.floats(0.05, 1.5))
def test_no_joint_s_target_is_further_than_the_lead_and_the_direction_stays(
    wanted: np.ndarray, measured: np.ndarray, lead: float
) -> None:
    moving = np.ones(14)
    target = within_lead(Sample(wanted, moving, moving), measured, lead)
    way, asked = target.position - measured, wanted - measured
    assert np.abs(way).max() <= lead + 1e-9
    for arm in (slice(0, 7), slice(7, 14)):
        furthest = np.abs(asked[arm]).max()
        if furthest <= lead:
            assert (target.position[arm] == wanted[arm]).all()
            assert (target.velocity[arm] == 1.0).all()
        else:
            np.testing.assert_allclose(way[arm] * furthest, asked[arm] * lead, atol=1e-9)
            assert (target.velocity[arm] == 0.0).all() and (target.acceleration[arm] == 0.0).all()
