"""What can be configured about the policy node, read from `configs/deploy/policy.yaml`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kuavo_deploy.policy.continuation import CONTINUATIONS
from kuavo_deploy.policy.instructions import Mode
from kuavo_deploy.policy.observations import ObservationSettings
from kuavo_deploy.policy.planner import PlannerSettings

DTYPES = ("float32", "bfloat16", "int8")
ENGINES = ("fast", "stock")


@dataclass(frozen=True)
class PolicySettings:
    """See the file's comments and the two dataclasses inside.

    noise: see `TrainedPolicy`. threads: of the policy's arithmetic; 0: all cores but one.
    """

    instructions: str = Mode.KNOWN.value
    continuation: str = "rtc"
    noise: float = 0.0
    dtype: str = "float32"
    engine: str = "fast"
    threads: int = 0
    planner: PlannerSettings = field(default_factory=PlannerSettings)
    observations: ObservationSettings = field(default_factory=ObservationSettings)

    def __post_init__(self) -> None:
        """Raise ValueError for a choice that does not exist."""
        if type(self.threads) is not int or self.threads < 0:
            raise ValueError(f"threads is {self.threads!r}: a count, or 0 for all cores but one")
        if type(self.noise) not in (int, float) or not 0 <= self.noise <= 1:
            raise ValueError(f"noise is {self.noise!r}: a share, 0…1")
        choices = {
            "instructions": [mode.value for mode in Mode],
            "continuation": list(CONTINUATIONS),
            "dtype": list(DTYPES),
            "engine": list(ENGINES),
        }
        for name, valid in choices.items():
            if getattr(self, name) not in valid:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}: choose from {', '.join(valid)}"
                )


def load_policy_settings(file: Path, **changes: Any) -> PolicySettings:
    """Settings of a file, with changes on top.

    Raises:
        ValueError: an unknown name or an impossible value.
    """
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    content.update(changes)
    planner = {name: content.pop(name) for name in _names(PlannerSettings) if name in content}
    observations = content.pop("observations", {})
    known = {"instructions", "continuation", "noise", "dtype", "engine", "threads"}
    _refuse_unknown(file, content, known | _names(PlannerSettings) | {"observations"})
    _refuse_unknown(file, observations, _names(ObservationSettings))
    for name, value in {**planner, **_numbers(observations)}.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 < value <= 60:
            raise ValueError(f"{file}: {name} must be in (0, 60] s, is {value!r}")
    return PolicySettings(
        **content,
        planner=PlannerSettings(**planner),
        observations=ObservationSettings(**observations),
    )


def _names(kind: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _numbers(observations: dict[str, Any]) -> dict[str, Any]:
    """All of its numbers, those of single sources too."""
    numbers = {k: v for k, v in observations.items() if not isinstance(v, dict)}
    for name in ("max_age", "max_skew"):
        for source, value in observations.get(name, {}).items():
            numbers[f"{name} of {source}"] = value
    return numbers


def _refuse_unknown(file: Path, content: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(content) - known)
    if unknown:
        raise ValueError(
            f"{file}: unknown {', '.join(unknown)}: choose from {', '.join(sorted(known))}"
        )
