"""Two trials of one policy through the real nodes, in order, with a film of both.

It is the hardware protocol (`kuavo_eval.hardware`) with a plan of two trials, judged by the scene:
the first task, then another one by an instruction to the running policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kuavo_eval.checkpoints import weights_sha256
from kuavo_eval.hardware.plan import Plan, PlannedCheckpoint, PlannedTrial, write_plan
from kuavo_eval.hardware.results import write_plan_results
from kuavo_eval.hardware.rubrics import rubrics_of
from kuavo_eval.hardware.session import PLAN_COPY
from kuavo_eval.ros.through_nodes import launch_plan
from kuavo_eval.trials.names import simulated_start, trial_name
from kuavo_sim.ros.alone import new_folder
from kuavo_sim.scenes import scene_class

FILM = "demo.mp4"
LIMIT = 600.0
"""A demo that takes longer is ended [s]."""


def run_demo(
    checkpoint: Path,
    tasks: Sequence[str],
    seed: int,
    out: Path,
    command: Sequence[str],
    say: Callable[[str], None] = print,
    limit: float = LIMIT,
) -> dict[str, Any]:
    """Run, film and score it in a new folder below `out`.

    Args:
        checkpoint: folder of the policy.
        tasks: names, one after the other; each but the first is a switch.
        seed: of the first scene; the next one has the next seed.
        out: parent of the new folder.
        command: as typed.
        say: gets a line for each thing that happens.
        limit: after this long it is ended [s].

    Returns:
        scores.json, and the folder under 'folder'.

    Raises:
        UserError: the checkpoint is none, ROS is missing, or the nodes came to nothing.
    """
    name = f"{tasks[0]}_seed{seed}"
    plan = _plan(name, checkpoint, tasks, seed)
    folder = new_folder(out, name)
    film = folder / FILM
    write_plan(plan, folder / PLAN_COPY)
    arguments = ["policy_demo.launch", f"film:={film.absolute()}"]
    trials = launch_plan(arguments, folder, say, limit)
    films = {"Both tasks, as the robot did them": FILM} if film.exists() else {}
    document = write_plan_results(folder, trials, command, films=films)
    return {**document, "folder": str(folder)}


def _plan(name: str, checkpoint: Path, tasks: Sequence[str], seed: int) -> Plan:
    label = checkpoint.name
    trials = tuple(
        PlannedTrial(
            trial_name(task, seed + i), i + 1, task, simulated_start(seed + i), seed + i, label
        )
        for i, task in enumerate(tasks)
    )
    return Plan(
        name, seed, rubrics_of(tasks), {task: scene_class(task).time_limit for task in tasks},
        {label: PlannedCheckpoint(str(checkpoint.absolute()), weights_sha256(checkpoint))},
        trials,
    )  # fmt: skip
