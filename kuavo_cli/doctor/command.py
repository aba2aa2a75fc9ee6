"""The command: runs every check, prints a line for each, exits with 1 if one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from kuavo_cli.doctor import machine_checks, python_checks, ros_checks
from kuavo_cli.doctor.result import Result
from kuavo_cli.jsonio import write_json

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)

CHECKS: tuple[Callable[[], Result], ...] = (
    python_checks.check_python,
    python_checks.check_packages,
    ros_checks.check_rospy,
    ros_checks.check_ros_package,
    ros_checks.check_messages,
    ros_checks.check_master,
    machine_checks.check_rendering,
    machine_checks.check_video,
    machine_checks.check_gpu,
    machine_checks.check_disk,
)
COLOURS = {"ok": "green", "info": "cyan", "warn": "yellow", "fail": "red"}


def examine(checks: Iterable[Callable[[], Result]]) -> Iterable[Result]:
    """Run `checks`; one that breaks is itself a finding and does not stop the others."""
    for check in checks:
        try:
            yield check()
        except Exception as error:
            name = check.__name__.removeprefix("check_")
            yield Result(name, "fail", f"the check broke: {type(error).__name__}: {error}")


def show(result: Result) -> None:
    """Print one result, and its fix where something is amiss."""
    mark = typer.style(f"{result.status:<4}", fg=COLOURS[result.status])
    typer.echo(f"{mark}  {result.name:<12} {result.found}")
    if result.fix and result.status != "ok":
        typer.echo(f"{'':<19}-> {result.fix}")


@app.command()
def doctor(
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the findings as JSON.")
    ] = None,
) -> None:
    """Check the set-up: Python, packages, ROS, messages, master, rendering, video, GPU, disk.

    Each problem comes with its fix. Exits with 1 if something must be mended, else with 0.

    Examples:

      kuavo doctor

      kuavo doctor --json outputs/doctor.json
    """
    results = []
    for result in examine(CHECKS):
        show(result)
        results.append(result)
    failed = [result.name for result in results if result.status == "fail"]
    if json is not None:
        write_json(json, {"ok": not failed, "checks": results})
    if failed:
        typer.echo(f"\n{len(failed)} to mend: {', '.join(failed)}", err=True)
        raise typer.Exit(1)
