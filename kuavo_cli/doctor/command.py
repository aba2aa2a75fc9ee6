"""The command: runs every check, prints a line for each, exits with 1 if one fails."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from kuavo_cli.doctor import machine_checks, python_checks, ros_checks
from kuavo_cli.doctor.result import Result
from kuavo_cli.errors import UserError
from kuavo_cli.jsonio import write_json

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)

CHECKS: tuple[Callable[[], Result], ...] = (
    python_checks.check_python,
    python_checks.check_versions,
    python_checks.check_packages,
    ros_checks.check_rospy,
    ros_checks.check_ros_package,
    ros_checks.check_messages,
    machine_checks.check_rendering,
    machine_checks.check_video,
    machine_checks.check_gpu,
    machine_checks.check_disk,
)
COLOURS = {"ok": "green", "info": "cyan", "warn": "yellow", "fail": "red"}
WIDTH = 100
INDENT = " " * 19


def examine(checks: Iterable[Callable[[], Result]]) -> Iterable[Result]:
    """Run `checks`; one that breaks is itself a finding and does not stop the others."""
    for check in checks:
        try:
            yield check()
        except Exception as error:
            bare = check.func if isinstance(check, partial) else check
            name = bare.__name__.removeprefix("check_")
            yield Result(name, "fail", f"the check broke: {type(error).__name__}: {error}")


def show(result: Result) -> None:
    """Print one result, and its fix where something is amiss."""
    mark = typer.style(f"{result.status:<4}", fg=COLOURS[result.status])
    typer.echo(f"{mark}  {result.name:<12} {_folded(result.found, INDENT)}")
    if result.fix and result.status != "ok":
        typer.echo(f"{INDENT}-> {_folded(result.fix, INDENT + '   ')}")


def _folded(text: str, indent: str) -> str:
    width = WIDTH - len(indent)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return f"\n{indent}".join(lines)


class Report:
    """Prints findings as they come, and keeps them."""

    def __init__(self) -> None:
        self.findings: list[dict[str, Any]] = []

    def section(self, title: str, checks: Iterable[Callable[[], Result]]) -> list[Result]:
        """Print a title and the findings below it."""
        typer.echo(typer.style(f"{chr(10) if self.findings else ''}{title}", bold=True))
        results = []
        for result in examine(checks):
            show(result)
            results.append(result)
            self.findings.append({"section": title, **vars(result)})
        return results

    @property
    def failed(self) -> list[str]:
        """Names of what must be mended."""
        return [finding["name"] for finding in self.findings if finding["status"] == "fail"]


@app.command()
def doctor(
    robot: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option(
            "--robot/--no-robot",
            help="The robot must be there, or is left alone. Else it is examined if it is there.",
        ),
    ] = None,
    checkpoint: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="The checkpoint that shall drive it. Else the default."),
    ] = None,
    end_effector: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="lejuclaw, qiangnao or rq2f85. Else what the robot says."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.2, max=60, help="How long the robot is listened to.")
    ] = 3.0,
    json: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--json", metavar="FILE", help="Write the findings as JSON."),
    ] = None,
) -> None:
    """Check this computer, the checkpoint and the robot behind $ROS_MASTER_URI.

    This computer: Python, versions, packages, ROS, messages, rendering, video, GPU, disk. The
    robot: master, topics with their rates, ages and MD5 sums, joints, cameras against the
    checkpoint, clocks, arm mode, second publishers, pause and stop. Nothing is moved, published or
    registered.

    Each problem comes with its fix. Exits with 1 if something must be mended, else with 0.

    Examples:

      kuavo doctor

      kuavo doctor --robot --checkpoint outputs/best

      kuavo doctor --json outputs/doctor.json
    """
    _check_effector(end_effector)
    report = Report()
    report.section("This computer", CHECKS)
    cameras = _section_checkpoint(report, checkpoint)
    if robot is not False:
        checks = _robot_checks(bool(robot), end_effector, seconds, cameras)
        report.section(f"Robot at {ros_checks.master_uri()}", checks)
    if json is not None:
        write_json(json, {"ok": not report.failed, "checks": report.findings})
    if report.failed:
        typer.echo(f"\n{len(report.failed)} to mend: {', '.join(report.failed)}", err=True)
        raise typer.Exit(1)


def _check_effector(name: str | None) -> None:
    from kuavo_deploy.robot.end_effectors import get_end_effector

    try:
        get_end_effector(name or "lejuclaw")
    except ValueError as error:
        raise UserError(str(error), exit_code=2) from error


def _section_checkpoint(report: Report, folder: Path | None) -> Any:
    """The cameras that the checkpoint wants; None without one."""
    from kuavo_cli.doctor.checkpoint_checks import check_checkpoint, open_trained
    from kuavo_train.checkpoint.shipped import default_checkpoint
    from kuavo_train.errors import CheckpointError

    chosen = folder or default_checkpoint()
    fix = "train one (docs/training.md), or name its folder: --checkpoint DIR"
    if folder is None and not chosen.exists():
        finding = Result("checkpoint", "info", f"none at {chosen}", fix)
        report.section("Checkpoint", [lambda: finding])
        return None
    try:
        trained = open_trained(chosen)
    except CheckpointError as error:
        wrong = Result("checkpoint", "fail", str(error), fix)
        report.section("Checkpoint", [lambda: wrong])
        return None
    report.section("Checkpoint", [partial(check_checkpoint, trained)])
    return trained.cameras


def _robot_checks(
    demanded: bool, end_effector: str | None, seconds: float, cameras: Any
) -> Iterator[Callable[[], Result]]:
    """The master, and if it answers everything behind it."""
    uri = ros_checks.master_uri()
    yield partial(ros_checks.check_master, demanded=demanded)
    if not ros_checks.answers(uri):
        return
    from kuavo_cli.doctor.robot_section import ANY_SIZE, examination
    from kuavo_train.tasks.registry import configs_root

    yield from examination(
        uri, seconds, end_effector, cameras or ANY_SIZE, configs_root(), demanded
    )
