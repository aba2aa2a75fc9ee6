"""`kuavo sim`: measure the experts, record episodes, take pictures, run the demo."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from kuavo_cli.errors import UserError
from kuavo_cli.jsonio import write_json
from kuavo_cli.progress import Progress

os.environ.setdefault("MUJOCO_GL", "egl")

app = typer.Typer(no_args_is_help=True, help="The simulated Kuavo: experts, recording, demo.")

TaskOption = Annotated[
    str, typer.Option(help="Name, id, 中文 name or alias of a task; for some commands 'all'.")
]
JsonOption = Annotated[Optional[Path], typer.Option("--json", help="Write the figures here too.")]  # noqa: UP045
CORES = os.cpu_count() or 1
WorkersOption = Annotated[int, typer.Option(min=1, help="Parallel processes.")]


@app.command()
def expert(
    task: TaskOption = "all",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes per task.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="First seed; episode i uses seed + i.")] = 0,
    workers: WorkersOption = CORES,
    json: JsonOption = None,
) -> None:
    """Measure how often the scripted experts succeed.

    Example: kuavo sim expert --task all --episodes 200 --json outputs/experts.json

    Exit code 1 when a task's success is below 98 %.
    """
    from kuavo_sim.trials import run_experts, summarize

    tasks = _tasks(task)
    trials = []
    with Progress("trying", total=episodes * len(tasks), unit="episodes") as progress:
        for trial in run_experts(tasks, range(seed, seed + episodes), workers):
            trials.append(trial)
            progress.advance(note=f"{trial.task} seed {trial.seed}")
    summaries = sorted(summarize(trials), key=lambda s: tasks.index(s.task))
    typer.echo(_expert_table(summaries))
    if json:
        write_json(json, {"summaries": summaries, "trials": trials})
    if any(summary.rate < 0.98 for summary in summaries):
        raise typer.Exit(1)


def _expert_table(summaries: list) -> str:
    lines = [
        "| task | success | rate | 95 % interval (Wilson) | mean | longest | peak joint speed |",
        "|---|---|---|---|---|---|---|",
    ]
    for s in summaries:
        lines.append(
            f"| {s.task} | {s.successes}/{s.episodes} | {s.rate:.1%} | {s.low:.1%} – {s.high:.1%} "
            f"| {s.mean_duration:.1f} s | {s.longest:.1f} s | {s.peak_velocity:.2f} rad/s |"
        )
    for s in summaries:
        lines += [f"  {s.task} seed {seed}: {why}" for seed, why in s.failed_seeds.items()]
    return "\n".join(lines)


@app.command()
def record(
    task: TaskOption,
    out: Annotated[Path, typer.Option(help="Folder of the LeRobot dataset; must not exist.")],
    episodes: Annotated[int, typer.Option(min=1)] = 200,
    seed: Annotated[int, typer.Option(min=0, help="First seed.")] = 0,
    bags: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write ROS bags here too, as rosbag record would on the robot."),
    ] = None,
    height: Annotated[int, typer.Option(min=32)] = 480,
    width: Annotated[int, typer.Option(min=32)] = 640,
    disturbance: Annotated[
        float, typer.Option(min=0, help="Push the arms off their path, by up to this [rad].")
    ] = 0.0,
    whims: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="How much the expert varies what no observation tells: 0 not at all."
        ),
    ] = 1.0,
    glance: Annotated[
        float,
        typer.Option(
            min=0,
            help="From afar the expert sees a thing up to this far off [m], from near as it is: "
            "its hand arrives beside the best place and gets straight before it closes in.",
        ),
    ] = 0.0,
    clumsy: Annotated[
        float,
        typer.Option(
            min=0,
            help="An expert that sees all up to this far off [m] begins in most episodes; the "
            "right one takes over at a moment drawn at random, and only its part is recorded.",
        ),
    ] = 0.0,
    from_stage: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--from",
            help="A stage of the task: what comes before it is done unseen, recorded is the rest. "
            "Many endings instead of few whole ones.",
        ),
    ] = None,
    shadows: Annotated[
        bool, typer.Option(help="In the images; without, recording takes half the time.")
    ] = True,
    draw_every: Annotated[
        int,
        typer.Option(
            min=1,
            help="Draw the cameras at every nth frame only and hold their images between: more "
            "scenes in the same time. Training uses the drawn frames; such recordings are for "
            "training alone.",
        ),
    ] = 1,
    seconds: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=0.2, help="Cut episodes after so long: many beginnings instead of few whole ones."
        ),
    ] = None,
    workers: WorkersOption = CORES,
    json: JsonOption = None,
) -> None:
    """Record expert demonstrations as a LeRobot v3.0 dataset.

    Example: kuavo sim record --task weighing --episodes 200 --seed 0 --out data/task2

    An interrupted recording continues when the same command runs again.
    """
    from kuavo_sim.recording.clumsy import Clumsy
    from kuavo_sim.recording.endings import ending
    from kuavo_sim.recording.episodes import LeadIn
    from kuavo_sim.recording.record import record as record_episodes
    from kuavo_train.data.features import FPS

    if clumsy and from_stage is not None:
        raise UserError("--clumsy and --from say how an episode begins: give one of them")
    lead_in: LeadIn | None = Clumsy(clumsy) if clumsy else None
    if from_stage is not None:
        lead_in = ending(_tasks(task)[0], from_stage, disturbance, whims)
    report = record_episodes(
        task=_tasks(task)[0],
        episodes=episodes,
        seed=seed,
        out=out,
        bags=bags,
        image_size=(height, width),
        workers=workers,
        max_frames=None if seconds is None else round(seconds * FPS),
        disturbance=disturbance,
        whims=whims,
        glance=glance,
        lead_in=lead_in,
        shadows=shadows,
        draw_every=draw_every,
    )
    if json:
        write_json(json, report)


@app.command()
def rescue(
    task: TaskOption,
    policy: Annotated[Path, typer.Option(help="The checkpoint that drives until it fails.")],
    out: Annotated[Path, typer.Option(help="Folder of the LeRobot dataset; must not exist.")],
    scenes: Annotated[int, typer.Option(min=1, help="So many does it try.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="First seed; scene i uses seed + i.")] = 0,
    seconds: Annotated[
        float, typer.Option(min=0.6, help="What the expert shows from a moment [s].")
    ] = 2.7,
    moments: Annotated[int, typer.Option(min=1, help="From so many of each failure.")] = 10,
    latency: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Of the checkpoint's inference [s]; default: measured."),
    ] = None,
    height: Annotated[int, typer.Option(min=32)] = 480,
    width: Annotated[int, typer.Option(min=32)] = 640,
    disturbance: Annotated[
        float, typer.Option(min=0, help="Push the expert's arms off their path, by up to this.")
    ] = 0.0,
    whims: Annotated[
        float, typer.Option(min=0, max=1, help="How much the expert varies, as in `record`.")
    ] = 1.0,
    shadows: Annotated[bool, typer.Option(help="In the images.")] = True,
    draw_every: Annotated[
        int, typer.Option(min=1, help="Draw the cameras at every nth frame, as in `record`.")
    ] = 1,
    workers: WorkersOption = CORES,
    json: JsonOption = None,
) -> None:
    """Record ways out of a policy's own failures (DAgger).

    Where it is stuck, stopped or has failed, the simulation goes back to moments of the part that
    went wrong, the expert shows the way out from each, and the policy gets another chance.

    Example: kuavo sim rescue --task weighing --policy outputs/model --seed 50000 --out data/ways
    Then: kuavo data join data/task2 data/ways --out data/both

    An interrupted recording continues when the same command runs again.
    """
    from kuavo_eval.simulation.learner import policy_learner
    from kuavo_sim.recording.rescues import Rescues
    from kuavo_sim.recording.rescues import rescue as record_rescues

    name = _tasks(task)[0]
    learner = policy_learner(policy, (height, width), latency, threads=max(1, CORES // workers))
    how = Rescues((height, width), seconds, moments, disturbance, whims, shadows, draw_every)
    report = record_rescues(name, learner, scenes, seed, out, how, workers)
    typer.echo(
        f"{name}: the policy did {report['alone']} of {scenes} scenes alone; "
        f"{report['episodes']} rescues in {report['out']}"
    )
    if json:
        write_json(json, report)


@app.command()
def frames(
    out: Annotated[Path, typer.Option(help="Folder of the shards; what is there is kept.")],
    scenes: Annotated[int, typer.Option(min=1, help="Of each task.")] = 400,
    moments: Annotated[int, typer.Option(min=1, help="Frames of each scene.")] = 8,
    size: Annotated[int, typer.Option(min=32, help="Side of the policy's images [px].")] = 96,
    steps: Annotated[int, typer.Option(min=1, help="Actions of a motion, at 10 Hz.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="First seed.")] = 1_000_000,
    workers: WorkersOption = CORES,
) -> None:
    """Render labelled frames of random moments, to pretrain on.

    Example: kuavo sim frames --out outputs/frames

    An interrupted run continues when the same command runs again.
    """
    from kuavo_sim.frames.render import render_frames

    count = render_frames(out, scenes, moments, size, steps, seed, workers)
    typer.echo(f"{out}: {count} frames")


@app.command()
def pictures(
    out: Annotated[Path, typer.Option(help="Folder for the pictures; must not exist.")],
    task: TaskOption = "all",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    height: Annotated[int, typer.Option(min=48)] = 240,
    width: Annotated[int, typer.Option(min=64)] = 320,
) -> None:
    """Photograph each task's scene with every camera while the expert works.

    Example: kuavo sim pictures --out outputs/pictures
    """
    from kuavo_sim.pictures import photograph

    if out.exists():
        raise UserError(f"{out} exists: choose another folder or remove it")
    for name in _tasks(task):
        for path in photograph(name, seed, out, (height, width)):
            typer.echo(path)


@app.command()
def demo(
    task: TaskOption = "weighing",
    seed: Annotated[int, typer.Option(min=0, help="Of the scene.")] = 3,
    out: Annotated[Path, typer.Option(help="A new folder is made below it.")] = Path(
        "outputs/demo"
    ),
    json: JsonOption = None,
) -> None:
    """Watch the robot do a task through its ROS topics: a summary and a video.

    Example: kuavo sim demo --task sorting

    Starts a ROS master of its own, the simulated robot and the expert; ends by itself.
    Exit code 0 when the task succeeded.
    """
    from kuavo_sim.ros.demo import DemoFailed, run_demo

    name = _tasks(task)[0]
    try:
        summary = run_demo(name, seed, out, say=typer.echo)
    except DemoFailed as error:
        raise UserError(str(error)) from error
    folder = Path(summary["folder"])
    typer.echo(_demo_summary(summary))
    typer.echo(f"summary  {folder / 'summary.json'}")
    typer.echo(f"video    {folder / summary['video']}")
    if json:
        write_json(json, summary)
    if not summary["success"]:
        raise typer.Exit(1)


def _demo_summary(summary: dict) -> str:
    lines = [f"{summary['task']}, seed {summary['seed']}: {summary['outcome']}"]
    lines += [f"  {seconds:6.2f} s  {stage}" for stage, seconds in summary["stages"].items()]
    return "\n".join(lines)


def _tasks(text: str) -> list[str]:
    from kuavo_sim.scenes import SCENES
    from kuavo_train.tasks import UnknownTask, task_named

    if text == "all":
        return list(SCENES)
    try:
        name = task_named(text).name
    except UnknownTask as error:
        raise UserError(str(error), exit_code=2) from error
    if name not in SCENES:
        raise UserError(f"no simulated scene for task {name!r}: choose from {', '.join(SCENES)}")
    return [name]
