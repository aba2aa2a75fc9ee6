"""Position limits of the arms: the configured robot's, narrowed by its URDF, with a margin."""

from __future__ import annotations

import dataclasses
import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np

from kuavo_deploy.robot.layout import ARM_DOF
from kuavo_deploy.robot.version import RobotLimits

URDF_JOINTS = tuple(f"zarm_l{i}_joint" for i in range(1, ARM_DOF + 1)) + tuple(
    f"zarm_r{i}_joint" for i in range(1, ARM_DOF + 1)
)


class LimitsError(ValueError):
    """Limits that cannot be trusted: missing, not finite, reversed."""


def check_limits(limits: RobotLimits) -> None:
    """Raise LimitsError unless every arm limit is finite, rightly shaped and rightly ordered."""
    for field in ("lower", "upper", "velocity", "acceleration", "jerk"):
        row = np.asarray(getattr(limits, field), dtype=np.float64)
        if row.shape != (2 * ARM_DOF,) or not np.isfinite(row).all():
            raise LimitsError(
                f"the arms' {field} limits must be {2 * ARM_DOF} finite numbers, got {row}"
            )
    for field in ("velocity", "acceleration", "jerk"):
        if not (getattr(limits, field) > 0).all():
            raise LimitsError(f"the arms' {field} limits must be positive")
    reversed_at = np.nonzero(~(limits.lower < limits.upper))[0]
    if reversed_at.size:
        raise LimitsError(f"lower limits are not below upper limits at joints {reversed_at}")


def narrowed_by_urdf(limits: RobotLimits, urdf: str) -> RobotLimits:
    """`limits`, never wider, and narrower where the robot's own URDF is.

    Args:
        limits: of the configured robot version.
        urdf: the text of `/humanoid_description`.

    Raises:
        LimitsError: not a URDF, an arm joint is missing, or what is left is empty.
    """
    lower, upper = limits.lower.copy(), limits.upper.copy()
    for index, (low, high) in enumerate(_urdf_ranges(urdf)):
        lower[index] = max(lower[index], low)
        upper[index] = min(upper[index], high)
    narrowed = dataclasses.replace(limits, lower=lower, upper=upper)
    check_limits(narrowed)
    return narrowed


def _urdf_ranges(urdf: str) -> list[tuple[float, float]]:
    # an external entity or a DTD has no place in a robot description, and can be a bomb
    if re.search(r"<!(DOCTYPE|ENTITY)", urdf, re.IGNORECASE):
        raise LimitsError("the robot's URDF carries a DOCTYPE: refused")
    try:
        root = ElementTree.fromstring(urdf)
    except ElementTree.ParseError as error:
        raise LimitsError(f"/humanoid_description is not a URDF: {error}") from error
    limits = {joint.get("name"): joint.find("limit") for joint in root.iter("joint")}
    missing = [name for name in URDF_JOINTS if limits.get(name) is None]
    if missing:
        raise LimitsError("the robot's URDF has no limits for {}".format(", ".join(missing)))
    return [_range(name, limits[name]) for name in URDF_JOINTS]


def _range(name: str, limit: ElementTree.Element | None) -> tuple[float, float]:
    assert limit is not None
    try:
        low, high = float(limit.get("lower", "nan")), float(limit.get("upper", "nan"))
    except ValueError as error:
        raise LimitsError(f"the robot's URDF, joint {name}: {error}") from error
    if not (math.isfinite(low) and math.isfinite(high)):
        raise LimitsError(f"the robot's URDF, joint {name}: limits are not finite")
    return low, high


class SoftLimits:
    """The range that commands stay in: the hard limits less a margin.

    A joint that starts outside may stay and move back in, but never further out: its range
    shrinks with it until it is the soft range.

    Attributes:
        lower, upper: shape (14,) [rad], the range in force now.
    """

    def __init__(self, limits: RobotLimits, margin: float) -> None:
        """Take limits [rad] and a margin [rad] that leaves something of every joint's range."""
        check_limits(limits)
        if not 0.0 <= margin < float((limits.upper - limits.lower).min()) / 2:
            raise LimitsError(f"a margin of {margin!r} rad leaves no range")
        self._soft_lower = limits.lower + margin
        self._soft_upper = limits.upper - margin
        self.lower, self.upper = self._soft_lower.copy(), self._soft_upper.copy()

    def start_at(self, positions: np.ndarray) -> None:
        """Begin at measured positions, shape (14,) [rad], inside or outside."""
        self.lower = np.minimum(self._soft_lower, positions)
        self.upper = np.maximum(self._soft_upper, positions)

    def tighten(self, positions: np.ndarray) -> None:
        """Follow commanded positions, shape (14,) [rad], back inside."""
        self.lower = np.clip(positions, self.lower, self._soft_lower)
        self.upper = np.clip(positions, self._soft_upper, self.upper)

    def clip(self, positions: np.ndarray) -> np.ndarray:
        """The nearest positions inside the range, shape (14,) [rad]."""
        return np.clip(positions, self.lower, self.upper)

    def beyond(self, positions: np.ndarray) -> np.ndarray:
        """How far each position is outside the soft range, shape (…, 14), inside 0 [rad]."""
        outside = np.maximum(self._soft_lower - positions, positions - self._soft_upper)
        return np.maximum(outside, 0.0)

    def excess(self, positions: np.ndarray) -> float:
        """How far positions, shape (…, 14), are outside the soft range, at most [rad]."""
        return float(self.beyond(positions).max(initial=0.0))
