"""A policy begins an episode, the expert takes over: demonstrations of the way out of mistakes.

Demonstrations alone never show what the policy's own small errors lead to. So the policy drives
until it is stuck, until the executor stops it, or until a moment drawn at random; from there the
expert does the rest, and that is recorded: DAgger (Ross et al. 2011) with whole interventions
(Kelly et al. 2019, HG-DAgger), by an expert that sees the simulation's true state.
"""

from __future__ import annotations

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
from kuavo_sim.recording.episodes import TURN, lead


class PolicyLeads(NamedTuple):
    """A `kuavo_sim.recording.episodes.LeadIn`.

    latency: of inference [s]. longest: the random moment is drawn from 0 to this [s]. patience: so
    long without a new stage of the task, and the policy is stuck [s]; twice as long before the
    first one, which may have to come along a belt. threads: of torch.
    """

    candidate: Candidate
    latency: float
    settings: SimulationSettings
    longest: float = 14.0
    patience: float = 5.0
    threads: int = 1

    def __call__(self, env: KuavoEnv, info: dict[str, Any], seed: int) -> str | None:
        """Drive; see `LeadIn`.

        Raises:
            UserError: the policy gives nothing that could be executed.
        """
        task = env.task.name
        job = TrialJob(
            self.candidate, task, seed, self.settings, self.latency, threads=self.threads
        )
        driver = make_driver(job, env.sim)
        driver.command(task, self.candidate.instruction(task))
        moment = np.random.default_rng([seed, 3]).uniform(0.0, self.longest)

        def over() -> str | None:
            reached = max(env.sim.progress.stages.values(), default=self.patience)
            return TURN if env.sim.time >= min(moment, reached + self.patience) else None

        try:  # the driver takes its own pictures
            return lead(env, info, driver.act, over, "the policy", COMMAND_HZ)
        except VoidTrial as problem:
            raise UserError(f"{self.candidate.label} cannot lead in: {problem}") from problem

    def describe(self) -> dict[str, Any]:
        """All that decides its course."""
        return {
            "policy": self.candidate.sha256 or self.candidate.stand_in,
            "latency": self.latency,
            "longest": self.longest,
            "patience": self.patience,
            "continuation": self.settings.continuation,
            "noise": self.settings.noise,
            "interval": self.settings.interval,
            "image_size": list(self.settings.image_size),
        }


def policy_leads(
    policy: Path | str, image_size: tuple[int, int], latency: float | None, threads: int
) -> PolicyLeads:
    """A policy that begins.

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
    return PolicyLeads(candidate, measured_latency(candidate, settings), settings, threads=threads)
