"""`kuavo eval offline`: checkpoints on recorded episodes, no robot."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from kuavo_cli.errors import UserError

if TYPE_CHECKING:
    from kuavo_eval.offline import OfflineScores, Options, Source
    from kuavo_train.tasks import TaskRegistry

app = typer.Typer()


@app.command()
def offline(
    checkpoint: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="A checkpoint folder, DIR or NAME=DIR; repeatable, scored in pairs."),
    ] = None,
    data: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="TASK=PATH: a LeRobot dataset, a bag or a folder of bags; repeatable."),
    ] = None,
    task: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Only these; without --data: the recordings that training used."),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder to make; default outputs/eval/offline-DATE."),
    ] = None,
    parts: Annotated[
        str, typer.Option(help="Any of error,loss,sampling,language,modalities; default all.")
    ] = "error,loss,sampling,language,modalities",
    every: Annotated[int, typer.Option(min=1, help="Predict at every n-th frame.")] = 1,
    frames: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="About so many predictions per task, without gaps."),
    ] = None,
    probe_frames: Annotated[
        int, typer.Option(min=1, help="Frames per task for sampling, language, modalities.")
    ] = 48,
    loss_frames: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Frames per task for the loss; default: those of the training."),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Draws of noise per probe frame.")] = 8,
    batch: Annotated[int, typer.Option(min=1, help="Frames per forward pass.")] = 16,
    seed: Annotated[int, typer.Option(help="Of all noise; 0 is the training's own.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, …")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, or int8 (on a CPU).")] = "float32",
    allow_seen: Annotated[
        bool, typer.Option("--allow-seen", help="Score episodes that were trained on, too.")
    ] = False,
    robot_version: Annotated[int, typer.Option(help="Whose limits apply.")] = 45,
    intervals: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Critical intervals, edited by hand (see --write-intervals)."),
    ] = None,
    write_intervals: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Only write the intervals around hand events to this file, to edit."),
    ] = None,
    end_effector: Annotated[str, typer.Option(help="Of bags: auto or its name.")] = "auto",
    claw_closed_at: Annotated[float, typer.Option(help="Of bags: 100 or 0.")] = 100.0,
) -> None:
    """Score checkpoints on recorded episodes.

    Example: kuavo eval offline --checkpoint outputs/train/smolvla_sequential/task4_sorting/best
    --data task2=outputs/data/weighing

    Episodes that a checkpoint was trained on are refused. Leaves scores.json, tables in Parquet
    and report.html, or nothing. Exit code 1 when a checkpoint got no score on a task.
    """
    from kuavo_eval.folder import RESULTS
    from kuavo_eval.offline.annotations import read_intervals, read_paraphrases
    from kuavo_eval.offline.as_trained import validation_setting
    from kuavo_eval.offline.sources import folder_of
    from kuavo_train.tasks import load_tasks

    registry = load_tasks()
    sources = _sources(registry, checkpoint or [], data or [], task or [])
    trained = folder_of(checkpoint[0]) if checkpoint else Path()
    options = _options(
        parts=tuple(part.strip() for part in parts.split(",") if part.strip()),
        every=every, frames=frames, probe_frames=probe_frames,
        loss_frames=loss_frames or validation_setting(trained).frames,
        samples=samples, batch=batch, seed=seed, device=device, dtype=dtype,
        allow_seen=allow_seen, robot_version=robot_version, end_effector=end_effector,
        claw_closed_at=claw_closed_at, paraphrases=read_paraphrases(registry),
        intervals=read_intervals(intervals) if intervals else {},
    )  # fmt: skip
    if write_intervals:
        _write_intervals(sources, registry, options, write_intervals)
        return
    if not checkpoint:
        raise UserError("nothing to score: --checkpoint DIR", exit_code=2)
    folder = out or RESULTS / f"offline-{datetime.now():%Y%m%d-%H%M%S}"
    scores = _evaluate(checkpoint, sources, options, folder)
    if any(scores.void(label, name) for label in scores.labels for name in scores.tasks):
        raise typer.Exit(1)


def _evaluate(
    checkpoints: list[str], sources: list[Source], options: Options, out: Path
) -> OfflineScores:
    from kuavo_eval.folder import OFFLINE, EvaluationFolder
    from kuavo_eval.offline import score
    from kuavo_eval.offline.page import renderer
    from kuavo_eval.offline.policies import CheckpointPolicy
    from kuavo_eval.offline.summary import print_summary
    from kuavo_eval.offline.tables import write_tables
    from kuavo_eval.provenance import provenance

    with EvaluationFolder(out, OFFLINE) as folder:
        scores = score(checkpoints, sources, options, pictures=True)
        write_tables(scores, folder.path)
        about = provenance(
            sys.argv,
            options.seed,
            {p.label: p.path for p in scores.policies if isinstance(p, CheckpointPolicy)},
            {n: {e.name: e.key for e in d.episodes} for n, d in scores.data.items()},
        )
        document = folder.finish({"provenance": about, **scores.document()}, renderer(scores))
    print_summary(document, out)
    return scores


def _sources(
    registry: TaskRegistry, checkpoints: list[str], data: list[str], tasks: list[str]
) -> list[Source]:
    """What --data says, or where the checkpoints' training found its data; only --task."""
    from kuavo_eval.offline.sources import parse_source, task_called, training_sources

    wanted = {task_called(name, registry).name for name in tasks if name != "all"}
    if data:
        found = [parse_source(text, registry) for text in data]
    else:
        found = training_sources(checkpoints, registry, wanted)
    missing = sorted(wanted - {source.task for source in found})
    if missing:
        raise UserError(f"no recordings of {', '.join(missing)}: add --data {missing[0]}=PATH")
    return [source for source in found if not wanted or source.task in wanted]


def _options(**values: object) -> Options:
    from kuavo_eval.offline import Options

    try:
        return Options(**values)  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(str(error), exit_code=2) from error


def _write_intervals(
    sources: list[Source], registry: TaskRegistry, options: Options, file: Path
) -> None:
    from kuavo_eval.offline.annotations import write_intervals
    from kuavo_eval.offline.sources import open_source

    recordings = [open_source(source, registry, options) for source in sources]
    count = write_intervals(recordings, file)
    typer.echo(f"{file}: critical intervals of {count} episodes; edit it, then --intervals {file}")
