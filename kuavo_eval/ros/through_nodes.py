"""Simulated trials through the real nodes: the hardware protocol, judged by the scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kuavo_cli.errors import UserError
from kuavo_eval.checkpoints import weights_sha256
from kuavo_eval.hardware.plan import PlannedCheckpoint, make_plan, write_plan
from kuavo_eval.hardware.rubrics import rubrics_of
from kuavo_eval.hardware.session import PLAN_COPY, open_session
from kuavo_eval.ros.console import MARK
from kuavo_eval.trials.log import TrialLog, read_trials, scored
from kuavo_eval.trials.names import simulated_start
from kuavo_eval.trials.schema import Trial
from kuavo_sim.ros.alone import launch_alone
from kuavo_sim.scenes import scene_class

PER_TRIAL = 900.0
"""Wall time after which a trial counts as hanging [s]."""


def run_through_nodes(
    checkpoints: Mapping[str, Path],
    tasks: Sequence[str],
    episodes: int,
    seed: int,
    folder: Path,
    image_size: tuple[int, int] = (480, 640),
    time_limit: float | None = None,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> list[Trial]:
    """As `kuavo_eval.simulation.run`: seeds, pairs, resumption; master, nodes and bags are real.

    Args:
        checkpoints: label → folder.
        tasks: names.
        episodes: per checkpoint and task.
        seed: of the first scene, and of the order.
        folder: made if it is not there; an interrupted run is continued.
        image_size: height and width of the cameras' images [px].
        time_limit: of a trial [s]; default: the scenes'.
        device: of the policy.
        say: gets a line for each thing that happens.

    Returns:
        All attempts, oldest first.

    Raises:
        UserError: a checkpoint or the folder is wrong, or the nodes came to nothing.
    """
    planned = {
        label: PlannedCheckpoint(str(path.absolute()), weights_sha256(path))
        for label, path in checkpoints.items()
    }
    limits = {task: time_limit or scene_class(task).time_limit for task in tasks}
    starts = [simulated_start(seed + i) for i in range(episodes)]
    plan = make_plan(folder.name, planned, starts, rubrics_of(tasks), limits, 1, seed)
    file = folder / PLAN_COPY
    if not file.exists():
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"{folder} is not empty and holds no plan: choose another --out")
        write_plan(plan, file)
    if open_session(file, folder)[0] != plan:
        raise UserError(f"{folder} holds another run: repeat that one, or choose another --out")
    with TrialLog(folder) as log:  # damaged, or in use by another process: said before all starts
        done = {trial.key for trial in scored(log.trials)}
    if done >= {(trial.checkpoint, trial.trial) for trial in plan.trials}:
        return read_trials(folder)
    arguments = [
        "eval.launch", "sim:=true", "clock:=true", "judge:=scene", f"device:={device}",
        f"height:={image_size[0]}", f"width:={image_size[1]}",
    ]  # fmt: skip
    return launch_plan(arguments, folder, say, PER_TRIAL * len(plan.trials))


def launch_plan(
    arguments: Sequence[str], folder: Path, say: Callable[[str], None], limit: float
) -> list[Trial]:
    """Launch the nodes that run a folder's plan, on a ROS master of its own, to its end.

    Args:
        arguments: the launch file, and its arguments but `plan` and `out`.
        folder: of the results; holds the plan.
        say: gets a line for each thing that happens.
        limit: after this long it is ended [s].

    Returns:
        All attempts, oldest first.

    Raises:
        UserError: ROS is missing, or the plan did not get through.
    """
    own = [f"plan:={(folder / PLAN_COPY).absolute()}", f"out:={folder.absolute()}"]
    try:
        lines = launch_alone([*arguments, *own], folder, MARK, say, limit)
    except FileNotFoundError as error:
        raise UserError(str(error)) from error
    failed = next((line for line in reversed(lines) if f"{MARK}failed" in line), None)
    if failed:
        raise UserError(failed.split(MARK, 1)[1])
    if not any("the plan is through" in line for line in lines):
        raise UserError(f"the nodes ended before the plan was through: see {folder / 'launch.txt'}")
    return read_trials(folder)
