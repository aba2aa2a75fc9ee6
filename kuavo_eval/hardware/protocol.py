"""Runs a plan's trials one after the other, and writes each down before the next begins.

    arrange ──go──▶ prepare ──▶ begin ──first plan──▶ run ──verdict, time, fault──▶ stop ──▶ record

Whatever the machinery does wrong makes a trial void, never a failure; a void trial is repeated.
Interrupted at any point, the same plan goes on with the first trial that has no verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from kuavo_cli.errors import UserError
from kuavo_eval.hardware.attempt import TIME_UP, Attempt, file_name
from kuavo_eval.hardware.operator import NotUnderstood, Said, understood
from kuavo_eval.hardware.plan import Plan, PlannedTrial
from kuavo_eval.hardware.robot import Operator, Robot, Status
from kuavo_eval.trials.faults import VoidTrial, is_policy_fault
from kuavo_eval.trials.log import TrialLog, scored
from kuavo_eval.trials.schema import Trial
from kuavo_train.tasks import load_tasks

VOIDS_IN_A_ROW = 3
"""So many void attempts one after the other end the session."""


class Interrupted(Exception):
    """The session ends: the operator said so, or the process was told to."""


@dataclass(frozen=True)
class Times:
    """All in s.

    look: between two looks at the robot. start: from enabling to the first executed plan.
    other_task: so long after another task was done, a judging scene ends the trial.
    """

    look: float = 0.1
    start: float = 90.0
    other_task: float = 5.0


class Protocol:
    """See the module.

    Args:
        plan: read and checked. log: open. robot, operator: see their seams.
        scene_judges: a simulated scene gives the verdicts, and nobody is asked.
        clock: of the robot [s]. wait: for so many seconds; raises Interrupted at the end.
        wall: the time of day, ISO 8601.
    """

    def __init__(
        self,
        plan: Plan,
        log: TrialLog,
        robot: Robot,
        operator: Operator,
        scene_judges: bool,
        clock: Callable[[], float],
        wait: Callable[[float], None],
        wall: Callable[[], str],
        source: str = "robot",
        times: Times | None = None,
    ) -> None:
        foreign = [trial for trial in log.trials if trial.plan != plan.sha256]
        if foreign:
            raise UserError(
                f"the folder holds trials of another plan ({foreign[0].plan[:12]}…, "
                f"this one is {plan.sha256[:12]}…): choose another folder"
            )
        self._plan, self._log, self._robot, self._operator = plan, log, robot, operator
        self._scene_judges, self._source = scene_judges, source
        self._clock, self._wait, self._wall = clock, wait, wall
        self._times = times or Times()
        # what was done instead of the commanded task need not be in the plan
        known = [task.name for task in load_tasks().values()]
        self._tasks = tuple(dict.fromkeys([*plan.rubrics, *known]))
        self._attempts = Counter(trial.key for trial in log.trials)
        self._other_since: float | None = None

    def run(self) -> bool:
        """All that is left of the plan. True when nothing is, False when the operator quits.

        Raises:
            UserError: several attempts in a row were void.
        """
        voids = 0
        try:
            for number, planned in enumerate(self._plan.trials, start=1):
                while not self._is_done(planned):
                    trial = self._attempt(number, planned)
                    voids = voids + 1 if trial.void else 0
                    if voids >= VOIDS_IN_A_ROW:
                        raise UserError(
                            f"{voids} void attempts in a row, the last one: {trial.void}. Look "
                            "after it; the same command goes on from here"
                        )
        except Interrupted:
            self._operator.tell("ended; the same command goes on from here")
            return False
        self._operator.tell("the plan is through")
        return True

    def _is_done(self, planned: PlannedTrial) -> bool:
        done = {trial.key for trial in scored(self._log.trials)}
        return (planned.checkpoint, planned.trial) in done

    # one attempt

    def _attempt(self, number: int, planned: PlannedTrial) -> Trial:
        key = planned.checkpoint, planned.trial
        self._attempts[key] += 1
        attempt = Attempt(self._plan, planned, self._attempts[key], self._wall())
        self._arrange(number, attempt)
        try:
            self._drive(attempt)
            self._robot.stop()
            self._verdict(attempt)
        except VoidTrial as problem:
            attempt.make_void(str(problem), self._clock())
        except Interrupted:
            if not attempt.decided:
                attempt.make_void("the session was interrupted", self._clock())
            self._finish(attempt)
            raise
        return self._finish(attempt)

    def _finish(self, attempt: Attempt) -> Trial:
        self._robot.stop()
        trial = attempt.record(self._source, self._clock())
        self._log.append(trial)
        verdict = (
            f"void: {trial.void}"
            if trial.void
            else ("success" if trial.success else f"failed: {trial.failure}")
        )
        self._operator.tell(f"{trial.trial}, {trial.checkpoint}: {verdict} (after {trial.stage})")
        return trial

    def _arrange(self, number: int, attempt: Attempt) -> None:
        planned = attempt.planned
        again = f", attempt {attempt.number}" if attempt.number > 1 else ""
        self._operator.tell(
            f"trial {number} of {len(self._plan.trials)}{again}: {planned.task} from start "
            f"{planned.start}, checkpoint {planned.checkpoint}"
        )
        if self._scene_judges:
            return
        self._operator.tell("arrange the scene, then say: go")
        while not any(said.word == "go" for said in self._listen(attempt)):
            self._wait(self._times.look)

    def _drive(self, attempt: Attempt) -> None:
        robot, planned = self._robot, attempt.planned
        self._advise("wait: the policy is made ready")
        attempt.instruction = robot.prepare(planned)
        name = f"{planned.trial}_{planned.checkpoint}_{attempt.number}"
        attempt.bag = f"bags/{file_name(name)}.bag"
        robot.begin(planned, attempt.bag)
        self._await_start(attempt)
        self._advise(
            f"the robot acts, {self._plan.time_limits[planned.task]:g} s at most: say stage NAME "
            f"({', '.join(attempt.rubric)}), success, fail [tag] or void REASON"
        )
        self._other_since = None
        while not attempt.ended:
            self._wait(self._times.look)
            self._look(attempt)

    def _advise(self, text: str) -> None:
        """For a person; a scene needs no advice."""
        if not self._scene_judges:
            self._operator.tell(text)

    def _await_start(self, attempt: Attempt) -> None:
        asked = self._clock()
        while True:
            status = self._robot.status()
            self._check_alive(status)
            if status.state == "run":
                attempt.take_over(self._clock(), status.scene)
                return
            if status.state == "fault":
                raise VoidTrial(f"before the start: {status.reason}")
            if self._clock() - asked > self._times.start:
                raise VoidTrial(f"no plan was executed: {status.state}: {status.reason}")
            for said in self._listen(attempt):
                if said.word == "void":
                    raise VoidTrial(said.text)
                self._operator.tell(f"not begun yet ({status.state}); say void REASON or quit")
            self._wait(self._times.look)

    def _look(self, attempt: Attempt) -> None:
        now, status = self._clock(), self._robot.status()
        attempt.see(status)
        self._check_alive(status)
        for said in self._listen(attempt):
            attempt.hear(said, now)
        if self._scene_judges and not attempt.decided:
            if status.scene is None or attempt.planned.task not in status.scene.outcomes:
                raise VoidTrial("the simulated scene does not tell how the task goes")
            attempt.judge(status.scene, now)
            self._end_after_other_task(attempt, now)
        if attempt.ended:
            return
        if status.state == "fault":
            self._faulted(attempt, status, now)
        elif status.state == "disabled":
            if self._scene_judges:
                raise VoidTrial(f"the robot was disabled: {status.reason}")
            attempt.stop_with(f"stopped: {status.reason}", now)
        elif attempt.elapsed(now) >= self._plan.time_limits[attempt.planned.task]:
            attempt.stop_with(TIME_UP, now)

    def _check_alive(self, status: Status) -> None:
        if status.dead is not None:
            raise VoidTrial(status.dead)

    def _faulted(self, attempt: Attempt, status: Status, now: float) -> None:
        if not is_policy_fault(status.reason):
            raise VoidTrial(status.reason)
        attempt.stop_with(status.reason, now)

    def _end_after_other_task(self, attempt: Attempt, now: float) -> None:
        if attempt.did is None or attempt.ended:
            return
        self._other_since = now if self._other_since is None else self._other_since
        if now - self._other_since >= self._times.other_task:
            attempt.fail(f"did {attempt.did}", now)

    def _verdict(self, attempt: Attempt) -> None:
        """The operator's word, where there is none yet. The robot stands."""
        if attempt.decided:
            return
        if self._scene_judges:
            attempt.fail(attempt.failure or TIME_UP, self._clock())
            return
        self._operator.tell(
            f"{attempt.failure}. Say the furthest stage ({', '.join(attempt.rubric)}) as in "
            "'stage grasped', then: fail [tag], success, or void REASON"
        )
        while not attempt.decided:
            for said in self._listen(attempt):
                attempt.hear(said, self._clock())
            self._wait(self._times.look)

    def _listen(self, attempt: Attempt) -> list[Said]:
        heard = []
        for line in self._operator.heard():
            try:
                said = understood(line, attempt.rubric, self._tasks)
            except NotUnderstood as problem:
                self._operator.tell(str(problem))
                continue
            if said.word == "quit":
                raise Interrupted
            heard.append(said)
        return heard
