"""`kuavo eval plan`: a locked plan of trials."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from kuavo_cli.errors import UserError
from kuavo_eval.commands.labels import labelled

app = typer.Typer()
FOLDER = Path("eval")


@app.command()
def plan(
    checkpoint: Annotated[
        list[str], typer.Option(help="Folder of a checkpoint, or NAME=FOLDER; repeat to compare.")
    ],
    task: Annotated[str, typer.Option(help="A task, several with commas, or 'all'.")] = "all",
    starts: Annotated[
        str, typer.Option(help="How many start positions, or their names with commas.")
    ] = "5",
    repeats: Annotated[int, typer.Option(min=1, help="Of every task × start × checkpoint.")] = 4,
    name: Annotated[str, typer.Option(help="Of the plan: eval/NAME.yaml.")] = "trials",
    seed: Annotated[int, typer.Option(min=0, help="Of the order, and of simulated scenes.")] = 1000,
    time_limit: Annotated[float, typer.Option(min=1.0, help="Of a trial [s].")] = 60.0,
    blind: Annotated[bool, typer.Option(help="Call the checkpoints A, B, … in the plan.")] = False,
    rubric: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="YAML, task: [stages]; default: those of the simulated scenes."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the plan.")] = FOLDER,
) -> None:
    """Write a plan of trials before the first of them: random in blocks, locked by a hash.

    Example: kuavo eval plan --checkpoint old=DIR --checkpoint new=DIR --task weighing
    --starts left,middle,right --repeats 7 --blind --name weighing_old_new

    Then: roslaunch kuavo_deploy eval.launch plan:=eval/weighing_old_new.yaml
    """
    from kuavo_eval.checkpoints import weights_sha256
    from kuavo_eval.commands.sim import task_names
    from kuavo_eval.hardware.plan import PlannedCheckpoint, key_of, make_plan, write_plan
    from kuavo_eval.hardware.rubrics import rubrics_of
    from kuavo_eval.statistics import trials_per_arm

    if not name.replace("_", "").replace("-", "").isalnum():
        raise UserError(f"--name {name!r}: letters, digits, _ and - only", exit_code=2)
    tasks = task_names(task, simulated=rubric is None)
    planned = {
        label: PlannedCheckpoint(os.path.abspath(folder), weights_sha256(folder))
        for label, folder in labelled(checkpoint).items()
    }
    made = make_plan(
        name, planned, start_names(starts),
        rubrics_of(tasks, rubric), dict.fromkeys(tasks, time_limit), repeats, seed, blind,
    )  # fmt: skip
    file = out / f"{name}.yaml"
    write_plan(made, file)
    per_cell = len(made.trials) // (len(tasks) * len(made.checkpoints))
    typer.echo(
        f"{file}: {len(made.trials)} trials, {per_cell} per task and checkpoint; lock "
        f"{made.sha256[:12]}…"
    )
    typer.echo(
        f"To tell 60 % from 80 % takes {trials_per_arm(0.6, 0.8)} trials per task and checkpoint, "
        f"50 % from 90 % takes {trials_per_arm(0.5, 0.9)} (unpaired, 80 % power)."
    )
    if len({one.weights_sha256 for one in planned.values()}) < len(planned):
        typer.echo("Note: some of these checkpoints have the same weights.")
    if blind:
        typer.echo(f"The key, which letter is which, is in {key_of(file)}: do not look.")
    typer.echo(f"next    roslaunch kuavo_deploy eval.launch plan:={file.absolute()}")


def start_names(text: str) -> list[str]:
    """'3' → 1, 2, 3; 'left,right' → those."""
    if text.isdigit():
        return [str(number) for number in range(1, int(text) + 1)]
    return [part.strip() for part in text.split(",") if part.strip()]
