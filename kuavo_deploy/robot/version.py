"""Joint limits per robot version, read from `configs/robot/*.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

ARM_DOF = 7


@dataclass(frozen=True)
class RobotLimits:
    """Limits of both arms, each shape (14,), left then right, read-only.

    lower, upper [rad]; velocity [rad/s]; acceleration [rad/s²]; jerk [rad/s³].
    head_lower, head_upper: shape (2,), yaw and pitch [rad].
    """

    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray
    head_lower: np.ndarray
    head_upper: np.ndarray


def load_limits(version: int, folder: Path) -> RobotLimits:
    """The limits of robot `version` (e.g. 45) out of the files in `folder`.

    Raises:
        ValueError: no file covers the version, or a limit is missing, not finite or reversed.
    """
    known: dict[int, Path] = {}
    for file in sorted(Path(folder).glob("*.yaml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        for covered in content["versions"]:
            known[int(covered)] = file
        if version in content["versions"]:
            return _limits(content, file)
    raise ValueError(f"no limits for robot version {version}: {folder} has {sorted(known)}")


def _limits(content: dict, file: Path) -> RobotLimits:
    lower, upper = _both_arms(content, file)
    limits = RobotLimits(
        lower=lower,
        upper=upper,
        velocity=np.tile(_row(content, "arm_velocity", file), 2),
        acceleration=np.tile(_row(content, "arm_acceleration", file), 2),
        jerk=np.tile(_row(content, "arm_jerk", file), 2),
        head_lower=_row(content, "head_lower", file, 2),
        head_upper=_row(content, "head_upper", file, 2),
    )
    for name in ("velocity", "acceleration", "jerk"):
        if not (getattr(limits, name) > 0).all():
            raise ValueError(f"{file}: arm_{name} must be positive")
    for array in vars(limits).values():
        array.flags.writeable = False
    return limits


def _both_arms(content: dict, file: Path) -> tuple[np.ndarray, np.ndarray]:
    left_lower = _row(content, "left_arm_lower", file)
    left_upper = _row(content, "left_arm_upper", file)
    mirrored = np.zeros(ARM_DOF, dtype=bool)
    mirrored[[joint - 1 for joint in content["mirrored_joints"]]] = True
    right_lower = np.where(mirrored, -left_upper, left_lower)
    right_upper = np.where(mirrored, -left_lower, left_upper)
    lower = np.concatenate([left_lower, right_lower])
    upper = np.concatenate([left_upper, right_upper])
    if not (lower < upper).all():
        raise ValueError(f"{file}: a lower limit is not below its upper limit")
    return lower, upper


def _row(content: dict, name: str, file: Path, length: int = ARM_DOF) -> np.ndarray:
    row = np.array(content.get(name, []), dtype=np.float64)
    if row.shape != (length,) or not np.isfinite(row).all():
        raise ValueError(f"{file}: {name} needs {length} finite numbers")
    return row
