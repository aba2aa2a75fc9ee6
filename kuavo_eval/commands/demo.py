"""`kuavo demo`: a trained policy at work, judged and filmed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

os.environ.setdefault("MUJOCO_GL", "egl")

app = typer.Typer()
NEXT = {"weighing": "moving_grasp", "moving_grasp": "weighing", "sorting": "placement"}
"""What is switched to; weighing after everything else."""


@app.command()
def demo(
    task: Annotated[str, typer.Option(help="What is done first.")] = "weighing",
    then: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="The task that the running policy is switched to; 'none': no other."),
    ] = None,
    checkpoint: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Of a policy; default: your own chain's last stage."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first scene.")] = 1000,
    out: Annotated[Path, typer.Option(help="A new folder is made below it.")] = Path(
        "outputs/demo"
    ),
) -> None:
    """A trained policy drives the simulated robot through its ROS topics.

    Example: kuavo demo --task sorting

    Starts a ROS master of its own, the simulated robot, executor and policy; the policy does one
    task, is told another one on the language topic, and all ends by itself with a film and a
    report. Exit code 0 when both tasks succeeded.
    """
    from kuavo_eval.commands.sim import task_names
    from kuavo_eval.demo.run import FILM, run_demo
    from kuavo_train.checkpoint.shipped import default_checkpoint

    first = task_names(task)[0]
    second = NEXT.get(first, "weighing") if then is None else then
    tasks = [first] if second == "none" else [first, *task_names(second)[:1]]
    began = time.monotonic()
    document = run_demo(checkpoint or default_checkpoint(), tasks, seed, out, sys.argv, _say)
    folder = Path(document["folder"])
    typer.echo(f"\n{_summary(document)}\n")
    typer.echo(f"film    {folder / FILM}")
    typer.echo(f"report  {folder / 'report.html'}")
    typer.echo(f"took    {time.monotonic() - began:.0f} s")
    if not _succeeded(document):
        raise typer.Exit(1)


def _say(line: str) -> None:
    typer.echo(f"  {line}")


def _succeeded(document: dict[str, Any]) -> bool:
    tasks = [t for c in document["checkpoints"].values() for t in c["tasks"].values()]
    return all(t["success"]["successes"] == t["trials"] > 0 for t in tasks)


def _summary(document: dict[str, Any]) -> str:
    from kuavo_eval.report.text import shown

    lines = [
        "| task | result | stages | duration | latency, median | holds |",
        "|---|---|---|---|---|---|",
    ]
    for checkpoint in document["checkpoints"].values():
        for name, figures in checkpoint["tasks"].items():
            trials = [t for t in document["trials"] if t["task"] == name]
            last = trials[-1]
            reached = [s for s in figures["stages"] if s["reached"]["value"]]
            holds = sum(e["count"] for e in figures["safety"] if e["what"].startswith("hold"))
            result = last["result"] + (f": {last['why']}" if last["why"] else "")
            lines.append(
                f"| {name} | {result} | {len(reached)} of {len(figures['stages'])} "
                f"| {last['duration']['value']:.1f} s | {shown(figures['latency'])} | {holds} |"
            )
    return "\n".join(lines)
