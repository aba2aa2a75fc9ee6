"""`kuavo eval continual`."""

from __future__ import annotations

import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from kuavo_cli.errors import UserError
from kuavo_cli.jsonio import write_json

if TYPE_CHECKING:
    from kuavo_eval.continual.runs import Run
    from kuavo_eval.offline import Source

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def continual(
    training: Annotated[Path, typer.Argument(help="Output folder of the sequential training.")],
    data: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="TASK=DATASET; default: where each task was trained from."),
    ] = None,
    sim: Annotated[
        bool, typer.Option("--sim", help="Also measure success, in simulated trials.")
    ] = False,
    episodes: Annotated[
        int, typer.Option(min=1, help="Trials per checkpoint and task, with --sim.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="First simulated scene.")] = 1000,
    base: Annotated[
        str, typer.Option(help="Base model: a folder, 'none', or 'auto': what stage 1 names.")
    ] = "auto",
    floor: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Output folder of the same training without replay (replay=none)."),
    ] = None,
    checkpoint: Annotated[str, typer.Option(help="Of each stage: best, epoch5, …")] = "best",
    frames: Annotated[
        int, typer.Option(min=1, help="Predictions per task and checkpoint, about.")
    ] = 64,
    loss_frames: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="For the loss, per task; default: those of the training itself."),
    ] = None,
    allow_seen: Annotated[
        bool, typer.Option("--allow-seen", help="Score episodes that were trained on, too.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Of the simulation.")] = 1,
    height: Annotated[int, typer.Option(min=32, help="Of simulated images [px].")] = 480,
    width: Annotated[int, typer.Option(min=32, help="Of simulated images [px].")] = 640,
    time_limit: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Of a simulated trial [s]; default: the scene's."),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="New folder; default: outputs/eval/continual_DATE_TIME."),
    ] = None,
    json: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--json", help="Write the document here too."),
    ] = None,
) -> None:
    """Score all stages on all tasks: what was learned, kept and forgotten.

    Loss and offline error on held-out episodes; with --sim also success. The joint training beside
    the stages (joint/) is the ceiling, --floor the same training without replay.

    Exit code 1 when one of the guide's thresholds is missed.

    Examples:

      kuavo eval continual outputs/train/smolvla_sequential

      kuavo eval continual outputs/train/smolvla_sequential --sim --episodes 20 --out outputs/eval/c

    Simulated trials are kept in OUT_trials; the same command goes on where they stopped.
    """
    from kuavo_eval.continual.base import known_base
    from kuavo_eval.continual.page import render
    from kuavo_eval.continual.run import Options, evaluate
    from kuavo_eval.continual.runs import open_run
    from kuavo_eval.folder import CONTINUAL, RESULTS, EvaluationFolder
    from kuavo_eval.offline import Options as OfflineOptions
    from kuavo_eval.offline.as_trained import validation_setting
    from kuavo_eval.provenance import provenance
    from kuavo_eval.simulation import SimulationSettings

    run = open_run(training, checkpoint)
    lowest = open_run(floor, checkpoint) if floor else None
    sources = _sources(run, data or [])
    found = known_base(run) if base == "auto" else None if base == "none" else Path(base)
    if found is None and base == "auto":
        typer.echo(f"the base model {run.parent!r} is not here: no forward transfer (--base DIR)")
    as_trained = validation_setting(run.stages[-1].folder)
    target = out or RESULTS / f"continual_{datetime.now():%Y%m%d_%H%M%S}"
    options = Options(
        OfflineOptions(
            parts=("loss", "error"),
            frames=frames,
            loss_frames=loss_frames or as_trained.frames,
            seed=as_trained.seed,
            allow_seen=allow_seen,
            device=device,
        ),
        target.with_name(target.name + "_trials") if sim else None,
        episodes,
        seed,
        SimulationSettings(
            image_size=(height, width),
            workers=workers,
            device=device,
            time_limit=time_limit,
            videos=0,
        ),
    )
    with EvaluationFolder(target, CONTINUAL) as folder, tempfile.TemporaryDirectory() as work:
        document, rows = evaluate(run, sources, options, Path(work), found, lowest)
        document["trained_tasks"] = ", ".join(document["tasks"])
        checkpoints = {row.key: row.folder for row in rows}
        document["provenance"] = provenance(sys.argv, seed, checkpoints)
        _table(document).to_parquet(folder.path / "matrices.parquet")
        folder.finish(document, render)
    typer.echo(document["verdict"]["text"])
    typer.echo(f"report: {target / 'report.html'}")
    if json:
        write_json(json, document)
    if not document["gate"]["passed"]:
        raise typer.Exit(1)


def _sources(run: Run, given: list[str]) -> list[Source]:
    """One per task that was learned: what is given, else where it was trained from."""
    from kuavo_eval.offline import Source
    from kuavo_eval.offline.sources import parse_source
    from kuavo_train.tasks import load_tasks

    by_task = {s.task: s for s in (parse_source(text, load_tasks()) for text in given)}
    learned = [task.name for task in run.tasks]
    unknown = [name for name in by_task if name not in learned]
    if unknown:
        raise UserError(f"{run.root} did not learn {unknown[0]}: choose from {', '.join(learned)}")
    roots = {record.name: Path(record.data_root) for record in run.records}
    missing = [n for n in learned if n not in by_task and not roots[n].exists()]
    if missing:
        raise UserError(
            f"the recordings of {missing[0]} are not at {roots[missing[0]]} any more: "
            f"--data {missing[0]}=DATASET"
        )
    return [by_task.get(name, Source(name, roots[name])) for name in learned]


def _table(document: dict[str, Any]) -> Any:
    """All cells, one per row."""
    import pandas as pd

    return pd.DataFrame(
        [
            {"measure": name, "checkpoint": row, "task": task, **cell}
            for name, matrix in document["matrices"].items()
            for row, cells in matrix["cells"].items()
            for task, cell in cells.items()
        ]
    )
