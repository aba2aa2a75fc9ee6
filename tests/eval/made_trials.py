"""Folders of trials with given outcomes, written through the real log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from kuavo_eval.trials import Trial, TrialLog

RUBRIC = ("grasped", "on the scale", "weighed", "re-grasped", "in the bin")
A_SHA, B_SHA = "a" * 64, "b" * 64


def trial(
    task: str,
    seed: int,
    success: bool | None,
    checkpoint: str = "A",
    reached: int = 2,
    source: str = "simulation",
    did: str | None = None,
) -> Trial:
    """One trial; a success reaches all stages, a failure `reached` of them; None: void."""
    stages = RUBRIC if success else RUBRIC[:reached]
    return Trial(
        trial=f"{task}-{seed}",
        source=source,
        task=task,
        instruction=task,
        checkpoint=checkpoint,
        rubric=RUBRIC,
        success=success,
        duration=12.0,
        stages={stage: 1.0 + i for i, stage in enumerate(stages)} if success is not None else {},
        seed=seed,
        checkpoint_sha256=A_SHA if checkpoint == "A" else B_SHA,
        void="the belt stopped" if success is None else None,
        did=task if success else did,
    )


def folder_of(
    folder: Path,
    outcomes: Mapping[str, Sequence[bool | None]],
    checkpoint: str = "A",
    first_seed: int = 1000,
    source: str = "simulation",
) -> Path:
    """A trial folder: task → outcomes, with consecutive seeds."""
    folder.mkdir(exist_ok=True)
    with TrialLog(folder) as log:
        for task, results in outcomes.items():
            for i, success in enumerate(results):
                log.append(trial(task, first_seed + i, success, checkpoint, i % 4, source))
    return folder


def won(successes: int, of: int) -> list[bool]:
    """The first `successes` of `of` trials succeed."""
    return [i < successes for i in range(of)]
