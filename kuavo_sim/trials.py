"""Trials of the experts: run many seeds, in parallel, and summarize them per task."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from kuavo_sim.env import CONTROL_HZ, KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.base import OutOfReach

CONFIDENCE = 0.95


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
    expert = make_expert(env.sim, expert_rng(seed))
    failure, peak = None, 0.0
    previous = env.sim.robot.arm_command
    over = False
    while not over:
        try:
            action = expert.act()
        except OutOfReach as error:
            failure = str(error)
            break
        _, _, terminated, truncated, info = env.step(action)
        arms = env.sim.robot.arm_command
        peak = max(peak, float(np.abs(arms - previous).max()) * CONTROL_HZ)
        previous = arms
        over = terminated or truncated
        if truncated:
            failure = "time limit"
    env.close()
    return Trial(
        task=info["task"],
        seed=seed,
        success=info["success"],
        stage=info["stage"],
        stages=info["stages"],
        failure=None if info["success"] else info["failure"] or failure,
        duration=info["time"],
        peak_velocity=peak,
    )


def run_experts(tasks: list[str], seeds: range, workers: int) -> Iterator[Trial]:
    """All tasks × seeds, in parallel processes; trials come as they end."""
    jobs = [(task, seed) for seed in seeds for task in tasks]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = [pool.submit(run_expert, *job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


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
