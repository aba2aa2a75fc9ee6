"""Position limits: configured, narrowed by the robot's URDF, never wider."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kuavo_deploy.safety.limits import (
    URDF_JOINTS,
    LimitsError,
    SoftLimits,
    check_limits,
    narrowed_by_urdf,
)

from .world import LIMITS, MIDDLE


def urdf(lower: np.ndarray, upper: np.ndarray, skip: str = "") -> str:
    joints = "".join(
        f'<joint name="{name}" type="revolute"><limit lower="{low}" upper="{high}"/></joint>'
        for name, low, high in zip(URDF_JOINTS, lower, upper, strict=True)
        if name != skip
    )
    return f'<robot name="kuavo">{joints}<joint name="leg" type="fixed"/></robot>'


def test_a_narrower_urdf_narrows_and_a_wider_one_changes_nothing() -> None:
    lower, upper = LIMITS.lower - 1, LIMITS.upper + 1
    lower[2] = LIMITS.lower[2] + 0.3
    upper[9] = LIMITS.upper[9] - 0.2
    narrowed = narrowed_by_urdf(LIMITS, urdf(lower, upper))
    assert narrowed.lower[2] == pytest.approx(LIMITS.lower[2] + 0.3)
    assert narrowed.upper[9] == pytest.approx(LIMITS.upper[9] - 0.2)
    assert (narrowed.lower >= LIMITS.lower).all() and (narrowed.upper <= LIMITS.upper).all()
    assert (np.delete(narrowed.lower, 2) == np.delete(LIMITS.lower, 2)).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a URDF"),
        ("<robot>", "not a URDF"),
        ("<robot/>", "no limits for zarm_l1_joint"),
        (urdf(LIMITS.lower, LIMITS.upper, skip="zarm_r7_joint"), "no limits for zarm_r7_joint"),
        (urdf(np.full(14, np.nan), LIMITS.upper), "not finite"),
        (urdf(LIMITS.upper, LIMITS.lower), "not below"),
        ('<!DOCTYPE x [<!ENTITY a "aaa">]><robot/>', "DOCTYPE"),
    ],
)
def test_a_urdf_that_cannot_be_trusted_refuses_to_start(text: str, said: str) -> None:
    with pytest.raises(LimitsError, match=said):
        narrowed_by_urdf(LIMITS, text)


@pytest.mark.parametrize("field", ["lower", "upper", "velocity", "acceleration", "jerk"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_or_non_finite_limits_refuse_to_start(field: str, bad: float) -> None:
    row = getattr(LIMITS, field).copy()
    row[4] = bad
    with pytest.raises(LimitsError, match=field):
        check_limits(replace(LIMITS, **{field: row}))
    with pytest.raises(LimitsError, match=field):
        check_limits(replace(LIMITS, **{field: row[:13]}))


def test_reversed_limits_and_a_margin_without_a_range_refuse_to_start() -> None:
    with pytest.raises(LimitsError, match="not below"):
        SoftLimits(replace(LIMITS, lower=LIMITS.upper, upper=LIMITS.lower), 0.0)
    for margin in (-0.1, 1.0, float("nan")):
        with pytest.raises(LimitsError, match="margin"):
            SoftLimits(LIMITS, margin)


def test_between_soft_and_hard_limit_a_joint_may_only_move_inwards() -> None:
    soft = SoftLimits(LIMITS, 0.1)
    start = MIDDLE.copy()
    start[0] = LIMITS.upper[0] - 0.05
    soft.start_at(start)
    further, inwards = start.copy(), start.copy()
    further[0] += 0.02
    inwards[0] -= 0.02
    assert soft.clip(further)[0] == start[0]
    assert soft.clip(inwards)[0] == inwards[0]
    soft.tighten(inwards)
    assert soft.clip(start)[0] == inwards[0], "what has come back does not go out again"
    soft.tighten(MIDDLE)
    assert soft.upper[0] == pytest.approx(LIMITS.upper[0] - 0.1)
