"""`kuavo data`: bags to datasets, checks, a look inside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from kuavo_cli.errors import UserError
from kuavo_cli.jsonio import write_json

if TYPE_CHECKING:
    from kuavo_train.data.bags.options import Options
    from kuavo_train.tasks import Task

app = typer.Typer(
    no_args_is_help=True, help="Recordings: convert bags to datasets, check them, view them."
)

JsonOption = Annotated[Optional[Path], typer.Option("--json", help="Write the report here too.")]  # noqa: UP045
DatasetArgument = Annotated[Path, typer.Argument(help="Folder of a LeRobot v3.0 dataset.")]
WorkersOption = Annotated[int, typer.Option(min=1, help="Parallel processes.")]


@app.command()
def convert(
    bags: Annotated[Path, typer.Argument(help="A folder of ROS 1 bags, or one bag.")],
    task: Annotated[str, typer.Option(help="What they show: name, id, 中文 name or alias.")],
    out: Annotated[Path, typer.Option(help="Folder of the dataset; must not exist.")],
    end_effector: Annotated[
        str, typer.Option(help="lejuclaw, qiangnao or rq2f85; auto: by the topics in the bag.")
    ] = "auto",
    claw_closed_at: Annotated[
        float, typer.Option(help="What the claw's topics call closed: 100 or 0.")
    ] = 100.0,
    arm_command: Annotated[
        str,
        typer.Option(
            help="Topic of the arms' action; auto: /kuavo_arm_traj_synced, else /joint_cmd, else "
            "/kuavo_arm_traj."
        ),
    ] = "auto",
    move: Annotated[
        str,
        typer.Option(
            help="Walking tasks' move flag: carried in linear.z of /cmd_pose_world_synced, or "
            "derived from command and odometry; auto: carried where there is one."
        ),
    ] = "auto",
    depth: Annotated[bool, typer.Option(help="Store the depth cameras too, losslessly.")] = False,
    image_size: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Shrink images to HEIGHTxWIDTH, e.g. 240x320; default: as recorded."),
    ] = None,
    max_offset: Annotated[
        float, typer.Option(help="How far a message may be from a frame's moment [s].")
    ] = 0.04,
    max_offset_of: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="The same for one topic: /leju_claw_state=0.1; may be repeated."),
    ] = None,
    lead: Annotated[
        float, typer.Option(help="A frame's action is the command so much later [s].")
    ] = 0.1,
    hold_hand_commands: Annotated[
        bool, typer.Option(help="Hand commands are sent only when they change: the last holds.")
    ] = False,
    stamps: Annotated[
        str, typer.Option(help="header, received, or auto: headers unless they are off.")
    ] = "auto",
    strict: Annotated[bool, typer.Option(help="Refuse bags that would be repaired.")] = False,
    workers: WorkersOption = 1,
    json: JsonOption = None,
) -> None:
    """Turn bags of the robot into a LeRobot v3.0 dataset; no ROS needed.

    Example: kuavo data convert bags/ --task weighing --out data/task2

    One bag is one episode. Every bag gets its line in the report: converted, repaired (with what
    was wrong) or refused (with the reason). Exit code 1 when one was refused; the others are
    converted all the same. An interrupted conversion continues when the same command runs again.
    """
    from kuavo_train.data.check.findings import counted
    from kuavo_train.data.conversion import REFUSED
    from kuavo_train.data.conversion import convert as convert_bags

    options = _options(
        end_effector=end_effector,
        claw_closed_at=claw_closed_at,
        arm_command=arm_command,
        move=move,
        stamps=stamps,
        depth=depth,
        image_size=_size(image_size),
        max_offset=max_offset,
        max_offset_of=_offsets(max_offset_of or []),
        lead=lead,
        hold_hand_commands=hold_hand_commands,
        strict=strict,
    )
    report = convert_bags(bags, _task(task), out, options, workers)
    _print_conversion(report.rows)
    if json:
        write_json(json, report.as_dict())
    if report.out is None:
        raise UserError("no bag could be converted: nothing was written")
    typer.echo(f"{counted(len(report.rows) - report.count(REFUSED), 'episode')} in {report.out}")
    if report.count(REFUSED):
        raise typer.Exit(1)


@app.command()
def join(
    parts: Annotated[list[Path], typer.Argument(help="Datasets of one task, two or more.")],
    out: Annotated[Path, typer.Option(help="Folder of the joined dataset; must not exist.")],
) -> None:
    """Join several recordings of one task into one dataset; they stay as they are.

    Example: kuavo data join data/task2 data/task2_more --out data/task2_all
    """
    from kuavo_train.data.check.findings import counted
    from kuavo_train.data.join import join as join_datasets

    typer.echo(f"{counted(join_datasets(parts, out), 'episode')} in {out}")


@app.command()
def check(
    dataset: DatasetArgument,
    html: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write the page here; default: DATASET.check.html beside it."),
    ] = None,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Look at every camera frame (slower).")
    ] = True,
    robot_version: Annotated[int, typer.Option(help="Whose limits apply.")] = 45,
    tokenizer: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder of the policy's tokenizer; without it, lengths are estimated."),
    ] = None,
    strict: Annotated[bool, typer.Option(help="Exit code 1 on warnings too.")] = False,
    json: JsonOption = None,
) -> None:
    """Look for what spoils training: gaps, frozen or black cameras, zero joints, jumps.

    Example: kuavo data check data/task2 --json outputs/check.json

    Writes one HTML page with a table and plots of every episode. Exit code 1 on errors.
    """
    from kuavo_train.data.check.page import write_page
    from kuavo_train.data.check.run import check_dataset

    report = check_dataset(dataset, robot_version, images, tokenizer)
    page = html or dataset.resolve().with_name(dataset.resolve().name + ".check.html")
    write_page(report, page)
    _print_check(report)
    typer.echo(f"page: {page}")
    if json:
        write_json(json, report.as_dict())
    if report.errors or (strict and report.warnings):
        raise typer.Exit(1)


@app.command()
def view(
    dataset: DatasetArgument,
    episode: Annotated[int, typer.Option(min=0)] = 0,
    save: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write a .rrd file instead of opening the viewer."),
    ] = None,
) -> None:
    """Open an episode in rerun: cameras, states and actions over time.

    Example: kuavo data view data/task2 --episode 3

    Without a screen: kuavo data view data/task2 --save e0.rrd; open it elsewhere with `rerun`.
    """
    from kuavo_train.data.view import view_episode

    view_episode(dataset, episode, save)
    if save:
        typer.echo(f"{save}: open it with `rerun {save}`")


def _task(text: str) -> Task:
    from kuavo_train.tasks import UnknownTask, task_named

    try:
        return task_named(text)
    except UnknownTask as error:
        raise UserError(str(error), exit_code=2) from error


def _options(**values: Any) -> Options:
    from kuavo_train.data.bags.options import Options

    try:
        return Options(**values)
    except ValueError as error:
        raise UserError(str(error), exit_code=2) from error


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise UserError(f"--image-size is HEIGHTxWIDTH, e.g. 240x320, not {text!r}", exit_code=2)
    return int(height), int(width)


def _offsets(texts: list[str]) -> dict[str, float]:
    offsets = {}
    for text in texts:
        topic, _, seconds = text.partition("=")
        try:
            offsets[topic] = float(seconds)
        except ValueError:
            raise UserError(
                f"--max-offset-of is TOPIC=SECONDS, not {text!r}", exit_code=2
            ) from None
    return offsets


def _print_conversion(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("bag", "result", "episode", "frames", "why", box=None, pad_edge=False)
    colours = {"converted": "green", "repaired": "yellow", "refused": "red"}
    for row in rows:
        why = "; ".join(
            [
                *([row["reason"]] if "reason" in row else []),
                *row.get("repairs", ()),
                *row.get("notes", ()),
            ]
        )
        table.add_row(
            row["bag"],
            f"[{colours[row['status']]}]{row['status']}[/]",
            str(row.get("episode_index", "–")),
            str(row.get("length", "–")),
            why,
        )
    Console(width=None if os.isatty(1) else 160).print(table)


def _print_check(report: Any) -> None:
    from rich.console import Console

    from kuavo_train.data.check.findings import counted, levels

    console = Console(width=None if os.isatty(1) else 160)
    for finding in report.findings:
        colour = "red" if finding.level == "error" else "yellow"
        console.print(f"[{colour}]{finding.level}[/] {finding.where}: {finding.text}")
    console.print(
        f"{counted(len(report.episodes), 'episode')}, {counted(report.frames, 'frame')}: "
        f"{levels(report.findings)}"
    )
