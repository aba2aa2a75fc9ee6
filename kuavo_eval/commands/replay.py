"""`kuavo eval replay`: bags through the live nodes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from kuavo_cli.errors import UserError

app = typer.Typer()


@app.command()
def replay(
    bags: Annotated[list[Path], typer.Argument(help="Bags, or folders of bags.")],
    checkpoint: Annotated[Path, typer.Option(help="Folder of a checkpoint.")],
    task: Annotated[str, typer.Option(help="What the bags show, and what the policy is told.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder of the results; must not exist."),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.01, max=10.0, help="Recorded seconds per second.")
    ] = 1.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
    end_effector: Annotated[str, typer.Option(help="lejuclaw, qiangnao or rq2f85.")] = "lejuclaw",
) -> None:
    """Play recorded bags into the live nodes, in shadow: topic in, topic out, nothing moves.

    Example: kuavo eval replay samples/bags/weighing --task weighing
    --checkpoint outputs/train/smolvla_sequential/task4_sorting/best

    Uses a ROS master of its own. On a slow computer say --rate 0.3. Exit code 1 when a bag is void.
    """
    from kuavo_eval.checkpoints import weights_sha256
    from kuavo_eval.folder import REPLAY, RESULTS, EvaluationFolder
    from kuavo_eval.replay.results import (
        about_replay,
        replay_document,
        replay_lines,
        replay_report,
    )
    from kuavo_eval.replay.run import replay_bags
    from kuavo_train.data.bags.options import Options
    from kuavo_train.data.conversion import find_bags
    from kuavo_train.tasks import UnknownTask, task_named

    try:
        shown = task_named(task)
    except UnknownTask as error:
        raise UserError(str(error), exit_code=2) from error
    weights_sha256(checkpoint)
    files = [file for given in bags for file in find_bags(given)]
    folder = out or RESULTS / f"replay_{shown.name}"
    with EvaluationFolder(folder, REPLAY) as evaluation:
        try:
            scores = replay_bags(
                files, shown, checkpoint, rate, device, evaluation.path / "nodes",
                Options(end_effector=end_effector), end_effector, typer.echo,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise UserError(str(error)) from error
        about = about_replay(shown.name, rate, sys.argv, checkpoint)
        document = evaluation.finish(replay_document(scores, about), replay_report)
    typer.echo(replay_lines(document))
    typer.echo(f"report  {folder / 'report.html'}")
    if document["void"]:
        raise typer.Exit(1)
