"""A robot that follows a script and an operator that follows another, with a clock of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kuavo_eval.hardware.plan import Plan, PlannedCheckpoint, PlannedTrial, make_plan
from kuavo_eval.hardware.protocol import Interrupted, Protocol
from kuavo_eval.hardware.robot import Change, SceneState, Status
from kuavo_eval.trials import Trial, TrialLog, read_trials
from kuavo_eval.trials.faults import VoidTrial

RUBRICS = {
    "weighing": ("grasped", "on_scale", "weighed", "re_grasped", "in_bin"),
    "moving_grasp": ("grasped", "off_belt", "on_table", "in_area"),
}


def two_by_two(**changes: Any) -> Plan:
    """Two checkpoints at two starts of one task: four trials."""
    values: dict[str, Any] = {
        "name": "plan",
        "checkpoints": {
            "old": PlannedCheckpoint("/old", "1" * 64), "new": PlannedCheckpoint("/new", "2" * 64),
        },
        "starts": ["left", "right"],
        "rubrics": RUBRICS,
        "time_limits": dict.fromkeys(RUBRICS, 20.0),
        "repeats": 1,
        "seed": 7,
    }  # fmt: skip
    values.update(changes)
    return make_plan(**values)


@dataclass
class Rig:
    """Time passes only in `wait`.

    states: of the executor, by seconds since `begin`. scene: a verdict by seconds since `begin`.
    says: what the operator says, by what was told (a part of it) or by seconds since `begin`.
    """

    folder: Path
    plan: Plan = field(default_factory=two_by_two)
    states: Callable[[float], tuple[str, str]] = lambda t: ("run", "executing")
    scene: Callable[[float, str], dict[str, Any]] | None = None
    says: Callable[[Rig, str], str | None] = lambda rig, told: None
    dead: Callable[[float], str | None] = lambda t: None
    refuses: str | None = None
    interrupt_at: float | None = None

    def __post_init__(self) -> None:
        self.now = 100.0
        self.began: float | None = None
        self.trial: PlannedTrial | None = None
        self.told: list[str] = []
        self.queue: list[str] = []
        self.calls: list[str] = []
        self.moving = False
        self._last = ("disabled", "")

    def run(self, **options: Any) -> bool:
        with TrialLog(self.folder) as log:
            protocol = Protocol(
                self.plan, log, self, self, self.scene is not None, lambda: self.now, self.wait,
                lambda: "2026-01-01T00:00:00+00:00", **options,
            )  # fmt: skip
            return protocol.run()

    @property
    def trials(self) -> list[Trial]:
        return read_trials(self.folder)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        assert self.now < 10_000, f"nothing happens any more: {self.told[-3:]}"
        if self.interrupt_at is not None and self.now >= self.interrupt_at:
            self.interrupt_at = None
            raise Interrupted

    # the robot

    def prepare(self, trial: PlannedTrial) -> str:
        assert not self.moving
        self.calls.append(f"prepare {trial.checkpoint}")
        if self.refuses:
            raise VoidTrial(self.refuses)
        return f"do {trial.task}"

    def begin(self, trial: PlannedTrial, bag: str) -> None:
        self.calls.append(f"begin {bag}")
        self.trial, self.began, self.moving = trial, self.now, True

    def status(self) -> Status:
        assert self.began is not None and self.trial is not None
        since = self.now - self.began
        state = self.states(since)
        changes = [Change(self.now, *state)] if state != self._last else []
        self._last = state
        scene = None
        if self.scene is not None:
            outcomes = {task: {"stages": {}, "success": False, "failure": None} for task in RUBRICS}
            outcomes.update(self.scene(since, self.trial.task))
            scene = SceneState(since, outcomes)
        return Status(*state, self.dead(since), changes, [0.2], scene)

    def stop(self) -> None:
        self.calls.append("stop")
        self.moving = False

    # the operator

    def tell(self, text: str) -> None:
        self.told.append(text)
        answer = self.says(self, text)
        if answer:
            self.queue += answer.split("\n")

    def heard(self) -> list[str]:
        heard, self.queue = self.queue, []
        return heard
