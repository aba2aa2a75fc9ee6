"""What the protocol needs of a robot and of an operator: two seams, without ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from kuavo_eval.hardware.plan import PlannedTrial


class Change(NamedTuple):
    """The executor changed its state at a time [s]."""

    time: float
    state: str
    reason: str


@dataclass(frozen=True)
class SceneState:
    """What a simulated scene says about itself, as `/kuavo_sim/state` does.

    time: of the scene [s]. outcomes: task → {'stages': {name: time}, 'success', 'failure'}.
    """

    time: float
    outcomes: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Status:
    """Now.

    state, reason: of the executor. dead: what has died, None while everything lives.
    changes: of the executor's state since the last look. latencies: of plans since then [s].
    scene: of a simulated robot.
    """

    state: str
    reason: str
    dead: str | None = None
    changes: Sequence[Change] = ()
    latencies: Sequence[float] = ()
    scene: SceneState | None = field(default=None)


class Robot(Protocol):
    """A robot with the runtime's nodes on it."""

    def prepare(self, trial: PlannedTrial) -> str:
        """The trial's policy runs, is instructed and plans; nothing moves. The instruction.

        Raises:
            VoidTrial: it does not.
        """

    def begin(self, trial: PlannedTrial, bag: str) -> None:
        """Record, go to the start posture, and let the policy drive.

        Raises:
            VoidTrial: the robot cannot be enabled.
        """

    def status(self) -> Status:
        """Now."""

    def stop(self) -> None:
        """Nothing moves any more; the bag is closed. Never raises, may be called at any time."""


class Operator(Protocol):
    """Whoever arranges the scene and judges."""

    def tell(self, text: str) -> None:
        """Say something."""

    def heard(self) -> list[str]:
        """Lines said since the last call."""


__all__ = ["Change", "Operator", "Robot", "SceneState", "Status"]
