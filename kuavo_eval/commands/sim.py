"""`kuavo eval sim`: trials on the simulated robot."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from kuavo_cli.errors import UserError
from kuavo_eval.commands.labels import labelled

os.environ.setdefault("MUJOCO_GL", "egl")

app = typer.Typer()
CORES = os.cpu_count() or 1
_NOT_THROUGH_NODES = (
    "stand_in", "switch", "latency", "continuation", "noise", "shadows", "videos", "workers"
)  # fmt: skip


@app.command()
def sim(
    context: typer.Context,
    checkpoint: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Folder of a checkpoint, or NAME=FOLDER; several are tried in turn."),
    ] = None,
    task: Annotated[str, typer.Option(help="A task, several with commas, or 'all'.")] = "all",
    episodes: Annotated[int, typer.Option(min=1, help="Trials per checkpoint and task.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="First scene; trial i has seed + i.")] = 1000,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder; run the same command again to continue what was interrupted."),
    ] = None,
    latency: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Of inference, simulated [s]; default: measured on this machine."),
    ] = None,
    switch: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Begin with another task's instruction, switch after so many seconds."),
    ] = None,
    continuation: Annotated[str, typer.Option(help="rtc or blend.")] = "rtc",
    noise: Annotated[
        float, typer.Option(help="Share of the random draw that a chunk starts from, 0…1.")
    ] = 0.0,
    height: Annotated[int, typer.Option(min=32, help="Of the cameras' images [px].")] = 480,
    width: Annotated[int, typer.Option(min=32, help="Of the cameras' images [px].")] = 640,
    shadows: Annotated[
        bool, typer.Option("--shadows/--no-shadows", help="In the cameras' images.")
    ] = True,
    time_limit: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Of a trial [s]; default: the scene's."),
    ] = None,
    videos: Annotated[int, typer.Option(min=0, help="Films of the first failures.")] = 3,
    workers: Annotated[int, typer.Option(min=1, help="Parallel processes.")] = CORES,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
    ros: Annotated[
        bool, typer.Option("--ros", help="Through the real nodes, on a ROS master of its own.")
    ] = False,
    stand_in: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Instead of a checkpoint: expert, swapped, demonstration, hold, nan."),
    ] = None,
) -> None:
    """Let policies do the tasks on the simulated robot, in closed loop.

    Example: kuavo eval sim --checkpoint outputs/train/smolvla_sequential/task4_sorting/best
    --task all --episodes 100 --seed 1000

    Planner, executor and limits are the robot's own; only the time is simulated. Every checkpoint
    gets the same scenes, so that `kuavo eval compare` can pair them. Exit code 1 when a trial
    stayed void.
    """
    from kuavo_eval.folder import RESULTS

    tested: dict[str, Path | str] = {**labelled(checkpoint or [])}
    for name in stand_in or []:
        tested[name] = name
    if not tested:
        raise UserError("nothing to test: give --checkpoint DIR", exit_code=2)
    names = task_names(task)
    folder = out or RESULTS / f"sim_{'_'.join(tested)}"[:100]
    if ros:
        _refuse_for_nodes(context)
        _through_nodes(labelled(checkpoint or []), names, episodes, seed, folder,
                       (height, width), time_limit, device)  # fmt: skip
        return
    from kuavo_eval.simulation.results import write_run_results
    from kuavo_eval.simulation.run import run
    from kuavo_eval.simulation.settings import SimulationSettings

    settings = SimulationSettings(
        latency=latency,
        continuation=continuation,
        noise=noise,
        image_size=(height, width),
        shadows=shadows,
        switch_at=switch,
        time_limit=time_limit,
        device=device,
        workers=workers,
        videos=videos,
    )
    trials = run(tested, names, episodes, seed, folder, settings)
    _tell(folder, write_run_results(folder, trials, sys.argv))


def _refuse_for_nodes(context: typer.Context) -> None:
    """What the nodes decide themselves cannot be asked for."""
    asked = [n for n in _NOT_THROUGH_NODES if not _is_default(context, n)]
    if asked:
        options = ", ".join("--" + name.replace("_", "-") for name in asked)
        raise UserError(
            f"--ros takes checkpoints only, as fast as they are, one trial at a time, with a bag "
            f"of each instead of films: leave out {options}",
            exit_code=2,
        )


def _is_default(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is None or source.name == "DEFAULT"


def _through_nodes(
    checkpoints: dict[str, Path], tasks: list[str], episodes: int, seed: int, folder: Path,
    image_size: tuple[int, int], time_limit: float | None, device: str,
) -> None:  # fmt: skip
    from kuavo_eval.hardware.results import write_plan_results
    from kuavo_eval.ros.through_nodes import run_through_nodes

    trials = run_through_nodes(
        checkpoints, tasks, episodes, seed, folder, image_size, time_limit, device, typer.echo
    )
    _tell(folder, write_plan_results(folder, trials, sys.argv))


def _tell(folder: Path, document: dict[str, Any]) -> None:
    typer.echo(summary_lines(document))
    typer.echo(f"report  {folder / 'report.html'}")
    if unscored(document):
        raise typer.Exit(1)


def task_names(text: str, simulated: bool = True) -> list[str]:
    """Names of tasks.

    Args:
        text: one, several with commas, or 'all'.
        simulated: each must have a scene.

    Raises:
        UserError: an unknown one; lists those that there are.
    """
    from kuavo_sim.scenes import SCENES
    from kuavo_train.tasks import UnknownTask, task_named

    if text == "all":
        return list(SCENES)
    try:
        names = [task_named(part.strip()).name for part in text.split(",")]
    except UnknownTask as error:
        raise UserError(str(error), exit_code=2) from error
    missing = [name for name in names if simulated and name not in SCENES]
    if missing:
        raise UserError(f"no simulated scene for {missing[0]!r}: choose from {', '.join(SCENES)}")
    return list(dict.fromkeys(names))


def summary_lines(document: dict[str, Any]) -> str:
    """The successes as a table for a terminal, and what is void."""
    from kuavo_eval.report.text import shown

    lines = [
        "| checkpoint | task | success (95 % interval) | wrong task | void |",
        "|---|---|---|---|---|",
    ]
    for label, checkpoint in document["checkpoints"].items():
        for task, figures in checkpoint["tasks"].items():
            lines.append(
                f"| {label} | {task} | {shown(figures['success'])} "
                f"| {figures['wrong_task']['successes']} | {figures['voids']} |"
            )
    reasons = sorted({f"  void: {void['reason']}" for void in document["voids"]})
    return "\n".join([*lines, *reasons[:10]])


def unscored(document: dict[str, Any]) -> Sequence[str]:
    """Trials that have attempts but none that counts."""
    counted = {(t["checkpoint"], t["trial"]) for t in document["trials"] if t["result"] != "void"}
    return [t["trial"] for t in document["trials"] if (t["checkpoint"], t["trial"]) not in counted]
