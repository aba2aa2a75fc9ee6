"""What is put to the test: a checkpoint, or a stand-in whose score is known beforehand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kuavo_cli.errors import UserError
from kuavo_deploy.policy.policies import ChunkPolicy, TrainedPolicy
from kuavo_eval.checkpoints import weights_sha256

STAND_INS = {
    "expert": "the task's scripted expert, which sees the simulation's true state",
    "swapped": "the expert of the other task that can be done in the same cell",
    "demonstration": "the expert's motion, rehearsed and given as action chunks",
    "hold": "stays where the robot is",
    "nan": "a number that is not finite in every chunk",
}


@dataclass(frozen=True)
class Candidate:
    """One thing under test.

    label: how it is called in the results. checkpoint: its folder, or None for a stand-in.
    stand_in: one of STAND_INS, or ''. sha256: of the weights, '' for a stand-in.
    """

    label: str
    checkpoint: Path | None
    stand_in: str = ""
    sha256: str = ""

    def instruction(self, task: str) -> str:
        """What it is told: its training's own words for the task where it knows it."""
        from kuavo_train.checkpoint.manifest import read_manifest
        from kuavo_train.tasks import task_named

        if self.checkpoint is not None:
            for record in read_manifest(self.checkpoint).lineage.tasks:
                if record.name == task:
                    return record.instruction
        return task_named(task).instruction


def candidates(given: Mapping[str, Path | str]) -> list[Candidate]:
    """Checked: every checkpoint is whole and of this robot.

    Args:
        given: label → a checkpoint's folder, or the name of a stand-in.

    Raises:
        UserError: nothing given, an unknown stand-in, or a checkpoint that is missing, damaged
            or another robot's.
    """
    if not given:
        raise UserError("nothing to test: give a checkpoint")
    return [_candidate(label, what) for label, what in given.items()]


def _candidate(label: str, what: Path | str) -> Candidate:
    if isinstance(what, str):
        if what not in STAND_INS:
            known = ", ".join(STAND_INS)
            raise UserError(f"unknown stand-in {what!r}: choose from {known}", exit_code=2)
        return Candidate(label, None, what)
    return Candidate(label, Path(os.path.abspath(what)), sha256=weights_sha256(what))


@lru_cache(maxsize=2)
def trained_policy(
    checkpoint: Path, device: str, dtype: str, threads: int, noise: float
) -> ChunkPolicy:
    """A checkpoint, loaded once per process.

    Raises:
        CheckpointError: missing, damaged, of another robot.
    """
    import torch

    torch.set_num_threads(threads)
    return TrainedPolicy(checkpoint, device, dtype, noise=noise)
