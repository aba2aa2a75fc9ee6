"""One trial in simulation, from a job to a record."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from kuavo_eval.simulation.aim import AimWatch
from kuavo_eval.simulation.candidates import Candidate, trained_policy
from kuavo_eval.simulation.film import Film
from kuavo_eval.simulation.robot_driver import COMMAND_HZ, RobotDriver
from kuavo_eval.simulation.settings import SimulationSettings
from kuavo_eval.simulation.stand_ins import ExpertDriver, chunk_stand_in
from kuavo_eval.trials.faults import VoidTrial
from kuavo_eval.trials.names import simulated_start, trial_name
from kuavo_eval.trials.schema import Aim, Latency, SafetyEvent, Switch, Trial
from kuavo_sim.env import CONTROL_HZ, KuavoEnv
from kuavo_sim.simulation import Simulation
from kuavo_sim.trials import TIME_UP, play

os.environ.setdefault("MUJOCO_GL", "egl")

DONE_FOR = 5.0
"""So long after another task was done instead, the trial ends [s]."""


class Driver(Protocol):
    """Whoever drives the robot through a trial."""

    safety: Sequence[SafetyEvent]
    resumed: float | None

    @property
    def latency(self) -> Latency | None:
        """From observation to hand-over, over the chunks so far."""

    def command(self, task: str, instruction: str) -> None:
        """An instruction is in force from now on."""

    def act(self) -> np.ndarray:
        """The action for the coming control period."""

    def problem(self) -> str | None:
        """Why a trial that has ended does not count, if so."""


class TrialJob(NamedTuple):
    """What one worker does.

    latency: of inference [s]. attempt: 1 more than there were. film: where to film it, or None.
    threads: of torch, in this process.
    """

    candidate: Candidate
    task: str
    seed: int
    settings: SimulationSettings
    latency: float
    attempt: int = 1
    film: Path | None = None
    threads: int = 1

    @property
    def trial(self) -> str:
        """The name that all candidates' trials of this scene share."""
        return trial_name(self.task, self.seed)


def run_trial(job: TrialJob) -> Trial:
    """Run it to its end."""
    began = datetime.now(timezone.utc).isoformat(timespec="seconds")
    expert = job.candidate.stand_in in ("expert", "swapped")
    env = KuavoEnv(
        job.task, image_size=None, control_hz=CONTROL_HZ if expert else COMMAND_HZ,
        shadows=job.settings.shadows,
    )  # fmt: skip
    _, info = env.reset(seed=job.seed)
    try:
        driver = make_driver(job, env.sim)
        film = None if job.film is None else Film(job.film, job.candidate.label)
        if film is not None:
            env.on_substep.append(film)
        try:
            return _played(job, env, info, driver, began)
        finally:
            if film is not None:
                film.close()
    finally:
        env.close()


def make_driver(job: TrialJob, sim: Simulation) -> Driver:
    """Whoever drives in this job, at the controls of a reset simulation."""
    candidate = job.candidate
    if candidate.stand_in in ("expert", "swapped"):
        return ExpertDriver(sim, swapped=candidate.stand_in == "swapped")
    if candidate.checkpoint is None:
        policy: Any = chunk_stand_in(candidate.stand_in, job.task, job.seed, sim)
    else:
        import torch

        policy = trained_policy(
            candidate.checkpoint, job.settings.device, job.settings.dtype, job.threads,
            job.settings.noise,
        )  # fmt: skip
        # the same noise for every candidate in the same scene, and for a film of it
        torch.manual_seed(job.seed)
    return RobotDriver(sim, policy, job.latency, job.settings)


def _played(
    job: TrialJob, env: KuavoEnv, info: dict[str, Any], driver: Driver, began: str
) -> Trial:
    sim, candidate = env.sim, job.candidate
    watch = _Watch(job, sim, driver)
    watch.begin()
    failure, void = None, None
    try:
        failure = play(env, info, driver.act, watch).failure
        void = driver.problem()
    except VoidTrial as problem:
        void = str(problem)
    outcomes = sim.outcomes
    progress = outcomes[job.task]
    done = [task for task, outcome in outcomes.items() if outcome.success]
    return Trial(
        trial=job.trial,
        attempt=job.attempt,
        source="simulation",
        task=job.task,
        instruction=candidate.instruction(job.task),
        start=simulated_start(job.seed),
        seed=job.seed,
        checkpoint=candidate.label,
        checkpoint_sha256=candidate.sha256,
        rubric=sim.rubrics[0].stages,
        success=None if void else progress.success,
        stages={name: round(time, 3) for name, time in progress.stages.items()},
        duration=round(sim.time, 3),
        failure=None if void else failure,
        void=void,
        did=done[0] if done else None,
        safety=tuple(driver.safety),
        latency=driver.latency,
        switch=watch.switch,
        aim=watch.aim,
        began=began,
    )


class _Watch:
    """Says the instructions, and ends the trial where the scene itself would not."""

    def __init__(self, job: TrialJob, sim: Simulation, driver: Driver) -> None:
        self._job, self._sim, self._driver = job, sim, driver
        self._other_since: float | None = None
        self._to_switch = job.settings.switch_at
        self._limit = job.settings.time_limit
        self._said: Switch | None = None
        self._aim = AimWatch(sim)

    def begin(self) -> None:
        """The first instruction: the trial's own, or the one that it is switched from."""
        task = self._job.task if self._to_switch is None else first_task(self._job.task)
        self._say(task)

    @property
    def switch(self) -> Switch | None:
        """What was said when, for the record."""
        if self._said is None:
            return None
        return Switch(self._said.first, self._said.at, _rounded(self._driver.resumed))

    @property
    def aim(self) -> Aim | None:
        """Of the first grasp."""
        return self._aim.aim

    def __call__(self) -> str | None:
        """After every control period: a reason to end the trial."""
        self._aim()
        now = self._sim.time
        if self._to_switch is not None and self._said is None and now >= self._to_switch - 1e-6:
            self._said = Switch(first_task(self._job.task), round(now, 3))
            self._say(self._job.task)
        if self._limit is not None and now >= self._limit - 1e-6:
            return TIME_UP
        others = [task for task in self._sim.outcomes if task != self._job.task]
        done = next((task for task in others if self._sim.outcomes[task].success), None)
        if done is None:
            return None
        self._other_since = now if self._other_since is None else self._other_since
        return f"did {done}" if now - self._other_since >= DONE_FOR else None

    def _say(self, task: str) -> None:
        self._driver.command(task, self._job.candidate.instruction(task))


def first_task(task: str) -> str:
    """What is commanded before a switch to `task`: where it can be, another task of its cell."""
    return {"weighing": "moving_grasp", "moving_grasp": "weighing"}.get(task, "weighing")


def _rounded(time: float | None) -> float | None:
    return None if time is None else round(time, 3)
