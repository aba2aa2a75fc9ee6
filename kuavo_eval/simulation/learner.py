"""A checkpoint that learns from its own failures: who drives in `kuavo_sim.recording.rescues`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kuavo_cli.errors import UserError
from kuavo_eval.simulation.candidates import Candidate, candidates
from kuavo_eval.simulation.latency import measured_latency
from kuavo_eval.simulation.robot_driver import COMMAND_HZ
from kuavo_eval.simulation.settings import SimulationSettings
from kuavo_eval.simulation.trial import TrialJob, make_driver
from kuavo_eval.trials.faults import VoidTrial
from kuavo_sim.env import KuavoEnv


class PolicyLearner(NamedTuple):
    """A `kuavo_sim.recording.rescues.Learner`.

    latency: of inference [s]. threads: of torch.
    """

    candidate: Candidate
    latency: float
    settings: SimulationSettings
    threads: int = 1
    command_hz: int = COMMAND_HZ

    def drive(self, env: KuavoEnv, seed: int) -> Callable[[], np.ndarray]:
        """See `Learner`.

        Raises:
            UserError: the policy gives nothing that could be executed.
        """
        task = env.task.name
        job = TrialJob(
            self.candidate, task, seed, self.settings, self.latency, threads=self.threads
        )
        driver = make_driver(job, env.sim)
        driver.command(task, self.candidate.instruction(task))

        def act() -> np.ndarray:
            try:
                return driver.act()
            except VoidTrial as problem:
                raise UserError(f"{self.candidate.label} cannot drive: {problem}") from problem

        return act

    def describe(self) -> dict[str, Any]:
        """All that decides its course."""
        return {
            "policy": self.candidate.sha256 or self.candidate.stand_in,
            "latency": self.latency,
            "continuation": self.settings.continuation,
            "noise": self.settings.noise,
            "interval": self.settings.interval,
            "image_size": list(self.settings.image_size),
        }


def policy_learner(
    policy: Path | str, image_size: tuple[int, int], latency: float | None, threads: int
) -> PolicyLearner:
    """A policy that drives.

    Args:
        policy: a checkpoint's folder, or the name of a stand-in that plans chunks.
        image_size: height and width of what it sees [px].
        latency: of inference [s]; None: measured.
        threads: of torch.

    Raises:
        UserError: the checkpoint is missing, damaged, another robot's, or too slow.
    """
    settings = SimulationSettings(latency=latency, image_size=image_size)
    (candidate,) = candidates({str(policy): policy})
    return PolicyLearner(candidate, measured_latency(candidate, settings), settings, threads)
