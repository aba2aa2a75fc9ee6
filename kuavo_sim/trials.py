"""Episodes in closed loop, whoever drives; and trials of the experts: many seeds, in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.base import GivesUp
from kuavo_train.data.pool import run_all

CONFIDENCE = 0.95
TIME_UP = "time limit"


class Played(NamedTuple):
    """How an episode ended.

    info: the environment's last. failure: why there was no success, None after one.
    peak_velocity: the fastest that any arm joint was commanded to move [rad/s].
    """

    info: dict[str, Any]
    failure: str | None
    peak_velocity: float


def play(
    env: KuavoEnv,
    info: dict[str, Any],
    act: Callable[[], np.ndarray],
    over: Callable[[], str | None] = lambda: None,
) -> Played:
    """Drive a freshly reset environment to the end of its episode.

    Args:
        env: reset.
        info: that the reset gave.
        act: the action for the coming control period; may raise `GivesUp`.
        over: asked after every period: a reason to end the episode now, as a failure.
    """
    failure, peak = None, 0.0
    previous = env.sim.robot.arm_command
    ended = False
    while not ended:
        try:
            action = act()
        except GivesUp as error:
            failure = str(error)
            break
        _, _, terminated, truncated, info = env.step(action)
        arms = env.sim.robot.arm_command
        peak = max(peak, float(np.abs(arms - previous).max()) * env.control_hz)
        previous = arms
        failure = TIME_UP if truncated else over()
        ended = terminated or failure is not None
    return Played(info, None if info["success"] else info["failure"] or failure, peak)


@dataclass(frozen=True)
class Trial:
    """How one episode of an expert ended.

    stages: name → time reached [s]. duration: of the episode [s].
    peak_velocity: the fastest that any arm joint was commanded to move [rad/s].
    """

    task: str
    seed: int
    success: bool
    stage: str
    stages: dict[str, float]
    failure: str | None
    duration: float
    peak_velocity: float


@dataclass(frozen=True)
class Summary:
    """Success of one task with its Wilson interval, durations [s], and what went wrong."""

    task: str
    episodes: int
    successes: int
    low: float
    high: float
    mean_duration: float
    longest: float
    peak_velocity: float
    failed_seeds: dict[int, str]

    @property
    def rate(self) -> float:
        """Share of successes, 0…1."""
        return self.successes / self.episodes


def expert_rng(seed: int) -> np.random.Generator:
    """The demonstrator's own randomness for a scene's seed, independent of the scene's."""
    return np.random.default_rng([seed, 1])


def run_expert(task: str, seed: int) -> Trial:
    """One episode of a task's expert, without images."""
    env = KuavoEnv(task, image_size=None)
    _, info = env.reset(seed=seed)
    played = play(env, info, make_expert(env.sim, expert_rng(seed)).act)
    env.close()
    return Trial(
        task=task,
        seed=seed,
        success=played.info["success"],
        stage=played.info["stage"],
        stages=played.info["stages"],
        failure=played.failure,
        duration=played.info["time"],
        peak_velocity=played.peak_velocity,
    )


def run_experts(tasks: list[str], seeds: range, workers: int) -> Iterator[Trial]:
    """All tasks × seeds, in parallel processes; trials come as they end."""
    jobs = [(task, seed) for seed in seeds for task in tasks]
    for _, trial in run_all(_run_job, jobs, workers):
        yield trial


def _run_job(job: tuple[str, int]) -> Trial:
    return run_expert(*job)


def summarize(trials: list[Trial]) -> list[Summary]:
    """One summary per task, in the order of first appearance."""
    by_task: dict[str, list[Trial]] = {}
    for trial in trials:
        by_task.setdefault(trial.task, []).append(trial)
    return [_summary(task, of_task) for task, of_task in by_task.items()]


def _summary(task: str, trials: list[Trial]) -> Summary:
    successes = sum(trial.success for trial in trials)
    low, high = proportion_confint(successes, len(trials), 1 - CONFIDENCE, method="wilson")
    failed = sorted((t for t in trials if not t.success), key=lambda t: t.seed)
    return Summary(
        task=task,
        episodes=len(trials),
        successes=successes,
        low=float(low),
        high=float(high),
        mean_duration=float(np.mean([t.duration for t in trials])),
        longest=max(t.duration for t in trials),
        peak_velocity=max(t.peak_velocity for t in trials),
        failed_seeds={t.seed: f"{t.failure} (after {t.stage})" for t in failed},
    )
