"""`kuavo eval report`: what the trials of a folder say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of the trials, e.g. outputs/eval/NAME.")],
    unblind: Annotated[bool, typer.Option(help="Call the checkpoints by their names.")] = False,
) -> None:
    """Summarize the trials of a plan, or of a simulated run, finished or not.

    Example: kuavo eval report outputs/eval/weighing_old_new

    Writes scores.json, trials.parquet and report.html into the folder; the log stays as it is.
    """
    from kuavo_eval.commands.sim import summary_lines
    from kuavo_eval.hardware.results import write_plan_results
    from kuavo_eval.simulation.results import write_run_results
    from kuavo_eval.simulation.run import read_run
    from kuavo_eval.trials.log import read_trials

    trials = read_trials(folder)
    if read_run(folder):
        document = write_run_results(folder, trials, sys.argv)
    else:
        document = write_plan_results(folder, trials, sys.argv, unblind)
    typer.echo(summary_lines(document))
    typer.echo(f"report  {folder / 'report.html'}")
