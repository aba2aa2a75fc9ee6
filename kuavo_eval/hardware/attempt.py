"""What is known about the trial in hand: stages, verdict, events; becomes its record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kuavo_eval.hardware.operator import Said
from kuavo_eval.hardware.plan import Plan, PlannedTrial
from kuavo_eval.hardware.robot import Change, SceneState, Status
from kuavo_eval.trials.names import simulated_start
from kuavo_eval.trials.schema import Latency, SafetyEvent, Trial

TIME_UP = "time limit"


@dataclass
class Attempt:
    """One attempt at a planned trial.

    Attributes:
        began: when the policy took over, in the robot's time [s]; None before.
        ended: when it was over [s]. success, failure, void, did: as in `Trial`.
        decided: is there a verdict?
    """

    plan: Plan
    planned: PlannedTrial
    number: int
    wall: str
    instruction: str = ""
    began: float | None = None
    ended: float | None = None
    success: bool | None = None
    failure: str | None = None
    void: str | None = None
    did: str | None = None
    interventions: int = 0
    note: str = ""
    bag: str | None = None
    _stages: dict[str, float | None] = field(default_factory=dict)
    _safety: list[SafetyEvent] = field(default_factory=list)
    _latencies: list[float] = field(default_factory=list)
    _scene_began: float | None = None

    @property
    def rubric(self) -> tuple[str, ...]:
        """Stages of the task."""
        return self.plan.rubrics[self.planned.task]

    @property
    def decided(self) -> bool:
        """Is there a verdict?"""
        return self.success is not None or self.void is not None

    def elapsed(self, now: float) -> float:
        """Into the trial [s]."""
        end = now if self.ended is None else self.ended
        return 0.0 if self.began is None else max(end - self.began, 0.0)

    # what happens

    def take_over(self, now: float, scene: SceneState | None) -> None:
        """The first plan is executed."""
        self.began = now
        self._scene_began = None if scene is None else scene.time

    def see(self, status: Status) -> None:
        """Events and latencies; before the policy took over they don't count."""
        if self.began is None:
            return
        self._latencies += status.latencies
        for change in status.changes:
            self._see_change(change, self.began)

    def _see_change(self, change: Change, began: float) -> None:
        if change.state in ("hold", "fault") and change.time >= began:
            time = round(change.time - began, 3)
            self._safety.append(SafetyEvent(time, change.state, change.reason))

    def reach(self, stage: str, time: float | None) -> None:
        """A stage is reached; earlier ones that nobody noted were, at some time."""
        for earlier in self.rubric[: self.rubric.index(stage) + 1]:
            if earlier not in self._stages:
                self._stages[earlier] = time if earlier == stage else None

    # verdicts

    def hear(self, said: Said, now: float) -> None:
        """The operator's word about the trial."""
        if said.word == "stage":
            self.reach(said.text, self._stamp(now))
        elif said.word == "intervention":
            self.interventions += 1
        elif said.word == "did":
            self.did = said.text
        elif said.word == "note":
            self.note = f"{self.note}; {said.text}" if self.note else said.text
        elif said.word == "void":
            self.make_void(said.text, now)
        elif said.word == "success":
            self.succeed(now, self._stamp(now))
        elif said.word == "fail":
            self.fail(said.text or self.failure or "failed", now)

    def succeed(self, now: float, stage_time: float | None) -> None:
        """The task is done."""
        self.reach(self.rubric[-1], stage_time)
        self.success, self.failure, self.did = True, None, self.planned.task
        self._end(now)

    def fail(self, tag: str, now: float) -> None:
        """It is not."""
        self.success, self.failure = False, tag
        self._end(now)

    def make_void(self, reason: str, now: float) -> None:
        """It says nothing."""
        self.success, self.failure, self.void = None, None, reason
        self._end(now)

    def stop_with(self, tag: str, now: float) -> None:
        """It is over, and would be a failure unless the operator says otherwise."""
        self.failure = tag
        self._end(now)

    def _end(self, now: float) -> None:
        self.ended = now if self.ended is None else self.ended

    def _stamp(self, now: float) -> float | None:
        # a stage that is named after the end was reached at some time before
        return round(self.elapsed(now), 3) if self.ended is None else None

    def judge(self, scene: SceneState, now: float) -> None:
        """A simulated scene's own verdict about its task."""
        outcome = scene.outcomes[self.planned.task]
        offset = self._scene_began or 0.0
        for stage, time in outcome["stages"].items():
            self.reach(stage, round(max(time - offset, 0.0), 3))
        others = [
            task for task, other in scene.outcomes.items()
            if task != self.planned.task and other["success"]
        ]  # fmt: skip
        self.did = others[0] if others else self.did
        if outcome["success"]:
            self.succeed(now, None)
        elif outcome["failure"]:
            self.fail(str(outcome["failure"]), now)

    def record(self, source: str, now: float) -> Trial:
        """For the log."""
        planned, simulated = self.planned, source == "ros"
        known = self.plan.checkpoints[planned.checkpoint]
        return Trial(
            trial=planned.trial,
            attempt=self.number,
            source=source,
            task=planned.task,
            instruction=self.instruction,
            start=simulated_start(planned.scene) if simulated else planned.start,
            seed=planned.scene if simulated else None,
            checkpoint=planned.checkpoint,
            checkpoint_sha256="" if self.plan.blinded else known.weights_sha256,
            rubric=self.rubric,
            success=self.success,
            stages=self._stages,
            duration=round(self.elapsed(now), 3),
            failure=self.failure,
            void=self.void,
            did=self.did,
            interventions=self.interventions,
            safety=tuple(self._safety),
            latency=_latency(self._latencies),
            began=self.wall,
            plan=self.plan.sha256,
            bag=self.bag,
            note=self.note,
        )


def file_name(text: str) -> str:
    """Fit for a file's name."""
    return re.sub(r"[^\w-]+", "_", text)


def _latency(seconds: Sequence[float]) -> Latency | None:
    if not seconds:
        return None
    median, p99 = np.quantile(seconds, (0.5, 0.99))
    return Latency(round(float(median), 4), round(float(p99), 4), len(seconds))
