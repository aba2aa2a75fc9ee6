"""What is written down about one trial, in simulation as on the robot."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = 1
SOURCES = ("simulation", "ros", "robot")
"""In the Gymnasium environment; through the real nodes on the simulated robot; on the robot."""
START = "start"
"""The furthest stage before the first one is reached."""


class TrialError(ValueError):
    """A trial that contradicts itself; the message says in what."""


@dataclass(frozen=True)
class Latency:
    """From an observation to its plan [s], over the chunks of one trial."""

    median: float
    p99: float
    chunks: int


@dataclass(frozen=True)
class SafetyEvent:
    """Something that the command layer did to protect the robot.

    time: into the trial [s]. kind: 'hold', 'fault', 'limit' or 'refused plan'. text: the reason.
    """

    time: float
    kind: str
    text: str


@dataclass(frozen=True)
class Switch:
    """Another instruction in the middle of a trial.

    first: the task that was commanded first. at: when the trial's own was said [s].
    resumed: when the first command that was planned for it went out [s]; None: none did.
    """

    first: str
    at: float
    resumed: float | None = None


@dataclass(frozen=True)
class Aim:
    """Where the thing to take was, seen from the hand, when the hand first began to close.

    time: into the trial [s]. ahead: the way the hand points [m]. aside: the way its fingers close,
    0: in their middle [m].
    """

    time: float
    ahead: float
    aside: float


@dataclass(frozen=True)
class Trial:
    """One attempt; void trials have no success and never count.

    trial: the same for all checkpoints that are compared, e.g. 'weighing-1003'.
    attempt: 1, 2, …: a void trial is repeated.
    source: see SOURCES. start: name of the start position. seed: of the simulated scene.
    checkpoint: its label; checkpoint_sha256: of its weights, '' for a stand-in without any.
    rubric: all stages of the task, in order. stages: those reached → when [s], None: not noted.
    duration: of the trial [s]. failure: a tag, e.g. 'dropped'. void: why it does not count.
    did: the task that was really done, commanded or not. interventions: by the operator.
    aim: None where no hand closed, or nobody could see it. began: wall time, ISO 8601.
    plan: SHA-256 of the trial plan. bag: a file in the folder.
    """

    trial: str
    source: str
    task: str
    instruction: str
    checkpoint: str
    rubric: tuple[str, ...]
    success: bool | None
    duration: float
    stages: Mapping[str, float | None] = field(default_factory=dict)
    attempt: int = 1
    start: str = ""
    seed: int | None = None
    checkpoint_sha256: str = ""
    failure: str | None = None
    void: str | None = None
    did: str | None = None
    interventions: int = 0
    safety: tuple[SafetyEvent, ...] = ()
    latency: Latency | None = None
    switch: Switch | None = None
    aim: Aim | None = None
    began: str = ""
    plan: str = ""
    bag: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        """Raise TrialError for what cannot be."""
        if self.source not in SOURCES:
            raise TrialError(f"source is {self.source!r}: choose from {', '.join(SOURCES)}")
        if (self.success is None) != (self.void is not None):
            raise TrialError("a trial is void with a reason, or it has a verdict; not both")
        if self.void is not None and not self.void.strip():
            raise TrialError("a void trial needs a reason")
        unknown = [stage for stage in self.stages if stage not in self.rubric]
        if unknown:
            raise TrialError(
                f"{self.task} has no stage {unknown[0]!r}: choose from {', '.join(self.rubric)}"
            )
        if tuple(self.stages) != self.rubric[: len(self.stages)]:
            raise TrialError(f"stages are reached in order, not {', '.join(self.stages)}")
        times = [self.duration, *(t for t in self.stages.values() if t is not None)]
        if not all(math.isfinite(t) and t >= 0 for t in times):
            raise TrialError(f"times must be finite and not negative, got {times}")
        if self.success and len(self.stages) < len(self.rubric):
            raise TrialError(f"a success has reached every stage, this one {self.stage!r}")
        if self.success and self.did != self.task:
            raise TrialError(f"a success did its own task, not {self.did!r}")

    @property
    def scored(self) -> bool:
        """Does it count?"""
        return self.void is None

    @property
    def stage(self) -> str:
        """The furthest stage, or 'start'."""
        return next(reversed(tuple(self.stages)), START)

    @property
    def wrong_task(self) -> bool:
        """Was another task done than the commanded one?"""
        return self.did is not None and self.did != self.task

    @property
    def key(self) -> tuple[str, str]:
        """Checkpoint and trial: all attempts at the same thing."""
        return self.checkpoint, self.trial

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Trial:
        """The trial that `as_dict` wrote.

        Raises:
            TrialError: another schema, a missing or unknown field, or a contradiction.
        """
        values = dict(content)
        schema = values.pop("schema", None)
        if schema != SCHEMA:
            raise TrialError(f"schema {schema!r}, this version reads {SCHEMA}")
        try:
            values["rubric"] = tuple(values["rubric"])
            values["safety"] = tuple(SafetyEvent(**event) for event in values.get("safety", ()))
            for name, kind in (("latency", Latency), ("switch", Switch), ("aim", Aim)):
                if values.get(name) is not None:
                    values[name] = kind(**values[name])
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise TrialError(f"not a trial: {error}") from error
