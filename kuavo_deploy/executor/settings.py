"""What can be configured about the executor, read from `configs/deploy/executor.yaml`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kuavo_deploy.executor.base import BaseSettings
from kuavo_deploy.robot.layout import ARM_DOF


class SettingsError(ValueError):
    """A setting is unknown or impossible; the message names it and what is valid."""


@dataclass(frozen=True)
class ExecutorSettings:
    """Times in s, angles in rad.

    rate: of the arm commands [Hz]. margin: kept to the position limits. speed: share of the
    velocity and acceleration limits to use. start_speed: the same, moving to the start posture.
    start_tolerance: at the start posture when nearer than this.
    blend: a new plan takes over in this time. reach_tolerance: a plan further outside the limits
    is refused. plan_max_age: of the observation behind a plan. joints_max_age, hands_max_age,
    odom_max_age: of the sensors. clock_ahead: how far senders' clocks may be ahead.
    lead: the arms' target is at most so far from the measured joints.
    tracking_error: a larger difference between command and measurement, for tracking_time, faults;
    smaller than lead, else an arm that is blocked would never be noticed.
    still: the arms may not move faster than this when enabled [rad/s].
    gap: ticks further apart than this end the stream, which begins anew where the arms are; two
    streams are always further apart than this.
    hold_limit: a longer HOLD faults. ready_limit: a longer READY disables.
    deadman: the operator's enable expires after so long without renewal; 0 is off.
    hand_speed: closures per second.
    """

    rate: float = 100.0
    margin: float = 0.02
    speed: float = 1.0
    start_speed: float = 0.2
    start_tolerance: float = 0.02
    blend: float = 0.3
    reach_tolerance: float = 0.6
    plan_max_age: float = 2.5
    joints_max_age: float = 0.2
    hands_max_age: float = 1.0
    odom_max_age: float = 0.3
    clock_ahead: float = 0.05
    lead: float = 0.35
    tracking_error: float = 0.3
    tracking_time: float = 1.0
    still: float = 0.3
    gap: float = 0.1
    hold_limit: float = 10.0
    ready_limit: float = 120.0
    deadman: float = 0.0
    hand_speed: float = 3.0
    base: BaseSettings = field(default_factory=BaseSettings)

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"{name} must be in {low:g}…{high:g}, is {value!r}")
        if not self.tracking_error < self.lead:
            raise SettingsError(
                f"tracking_error must be smaller than lead, {self.lead:g} rad: commands go no "
                f"further ahead, so {self.tracking_error:g} rad would never be noticed"
            )

    @property
    def period(self) -> float:
        """Between arm commands [s]."""
        return 1.0 / self.rate


_RANGES: dict[str, tuple[float, float]] = {
    "rate": (20.0, 500.0),
    "margin": (0.0, 0.3),
    "speed": (0.01, 1.0),
    "start_speed": (0.01, 0.5),
    "start_tolerance": (0.001, 0.2),
    "blend": (0.02, 2.0),
    "reach_tolerance": (0.0, 1.5),
    "plan_max_age": (0.05, 30.0),
    "joints_max_age": (0.01, 1.0),
    "hands_max_age": (0.01, 10.0),
    "odom_max_age": (0.01, 2.0),
    "clock_ahead": (0.0, 0.5),
    "lead": (0.05, 1.5),
    "tracking_error": (0.05, 1.5),
    "tracking_time": (0.0, 5.0),
    "still": (0.01, 2.0),
    "gap": (0.02, 0.5),
    "hold_limit": (0.1, 600.0),
    "ready_limit": (1.0, 3600.0),
    "deadman": (0.0, 10.0),
    "hand_speed": (0.1, 20.0),
}


def load_settings(file: Path, **changes: Any) -> ExecutorSettings:
    """Settings of a file, with changes on top.

    Raises:
        SettingsError: an unknown name or an impossible value.
    """
    content = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
    if not isinstance(content, dict):
        raise SettingsError(f"{file}: expected names and values")
    content.update(changes)
    try:
        base = _made(BaseSettings, content.pop("base", None) or {}, "base.")
        return _made(ExecutorSettings, dict(content, base=base), "")
    except SettingsError as error:
        raise SettingsError(f"{file}: {error}") from error


def _made(kind: Any, content: Any, prefix: str) -> Any:
    if not isinstance(content, dict):
        what = prefix.rstrip(".")
        raise SettingsError(f"{what} must be names and values, is {content!r}")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(set(content) - set(fields))
    if unknown:
        wrong, valid = (", ".join(prefix + name for name in names) for names in (unknown, fields))
        raise SettingsError(f"unknown {wrong}: choose from {valid}")
    for name, value in content.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (number or isinstance(value, (bool, BaseSettings))) or (
            isinstance(value, bool) != (fields[name].type == "bool")
        ):
            raise SettingsError(f"{prefix}{name}: a {fields[name].type}, not {value!r}")
    return kind(**content)


def load_start_postures(file: Path) -> dict[str, np.ndarray]:
    """Where each task begins: arms, shape (14,) [rad], by the task's name."""
    content = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
    postures = {str(name): np.array(row, dtype=np.float64) for name, row in content.items()}
    for name, posture in postures.items():
        if posture.shape != (2 * ARM_DOF,) or not np.isfinite(posture).all():
            raise SettingsError(f"{file}: {name} needs {2 * ARM_DOF} finite numbers")
    return postures
