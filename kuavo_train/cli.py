"""`kuavo train`: all stages in a row, a base model made locally, a checkpoint looked at."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kuavo_cli.errors import UserError
from kuavo_train.errors import TrainingError
from kuavo_train.sequential.processes import is_shared, run_shared
from kuavo_train.tasks import load_tasks
from kuavo_train.tasks.registry import configs_root

app = typer.Typer(
    help="Train the policy: every stage, or one base model. One stage alone: see docs/training.md.",
    no_args_is_help=True,
)


@app.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    all_stages: Annotated[
        bool, typer.Option("--all", help="Train every stage, 1 to the last.")
    ] = False,
    config_name: Annotated[
        str, typer.Option("--config-name", help="A file of configs/policy, without .yaml.")
    ] = "smolvla_sequential_base",
    override: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="Any setting: -s training.batch_size=8; repeatable."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip finished stages, continue the stopped one.")
    ] = False,
    processes: Annotated[
        int,
        typer.Option(min=1, help="That share every step: one per GPU, or per core of a CPU."),
    ] = 1,
) -> None:
    """Train all stages of the curriculum, in order."""
    if context.invoked_subcommand:
        return
    if not all_stages:
        raise UserError("say what to train: kuavo train --all (or --help)", exit_code=2)
    if processes > 1 and not is_shared():
        command = [sys.executable, "-m", "kuavo_cli.main", *sys.argv[1:]]
        raise typer.Exit(run_shared(command, processes))
    _call(_train_all, config_name, override or [], resume)


@app.command()
def base(
    size: Annotated[
        str, typer.Option(help="A file of configs/policy/architecture: nano, smolvla_450m.")
    ] = "nano",
    out: Annotated[
        Path | None, typer.Option(help="Folder to make; default outputs/base/smolvla_SIZE.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random weights.")] = 0,
) -> None:
    """Make a base model with random weights: no network, no GPU needed."""
    from kuavo_train.policy.base_model import write_base

    folder = out or Path("outputs/base") / f"smolvla_{size}"
    parameters = _call(write_base, folder, size, seed)
    typer.echo(f"{folder}: {parameters:,} parameters")


@app.command()
def pretrain(
    frames: Annotated[Path, typer.Option(help="Labelled frames of: kuavo sim frames.")],
    out: Annotated[Path, typer.Option(help="The base model to make.")] = Path(
        "outputs/base/smolvla_nano"
    ),
    config_name: Annotated[
        str, typer.Option("--config-name", help="A file of configs/policy/pretraining.")
    ] = "nano",
    override: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="Any setting: -s steps=500; repeatable.")
    ] = None,
) -> None:
    """Pretrain a small base model on pointing and generic motions; goes on where it stopped."""
    from kuavo_train.pretraining.run import pretrain as run
    from kuavo_train.pretraining.settings import read_settings
    from kuavo_train.sequential.console import start_logging, stop_logging

    folder = configs_root() / "policy" / "pretraining"
    settings = _call(read_settings, folder, config_name, override or [])
    start_logging(out.with_name(f"{out.name}.log"))
    try:
        measured = _call(run, frames, out, settings)
    finally:
        stop_logging()
    typer.echo(f"{out}: points within {measured.pointing_px:.1f} px after {measured.step} steps")


@app.command("demo-model")
def demo_model(
    out: Annotated[Path, typer.Option(help="Everything that is made goes there.")] = Path(
        "outputs/demo_model"
    ),
    recipe: Annotated[
        Path | None, typer.Option(help="Default: configs/policy/demo_model.yaml.")
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="Of the recipe: -s recording.episodes=50; repeatable."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Parallel processes.")] = os.cpu_count() or 1,
) -> None:
    """Make the demo model: frames, base, demonstrations, four stages, trials.

    Takes many hours on two cores; call it again to go on where it stopped.
    """
    from kuavo_train.demo_model.recipe import read_recipe, steps
    from kuavo_train.demo_model.run import run_steps

    chosen = recipe or configs_root() / "policy" / "demo_model.yaml"
    made = steps(_call(read_recipe, chosen, override or []), out, workers)
    _call(run_steps, made, out, typer.echo)


@app.command()
def half(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint folder.")],
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
) -> None:
    """Copy a checkpoint with weights of 16 bits: half the space, for shipping."""
    from kuavo_train.checkpoint.half import store_half

    size = _call(store_half, checkpoint, out)
    typer.echo(f"{out}: {size / 1e6:.1f} MB")


@app.command()
def relocate(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint that was copied or moved.")],
    vlm: Annotated[
        str | None, typer.Option(help="Path to write; default: its own vlm/ folder.")
    ] = None,
) -> None:
    """Tell stock lerobot where a copied checkpoint lies now (this project finds it by itself)."""
    from kuavo_train.checkpoint.relocate import relocate as rewrite

    typer.echo(f"{checkpoint} now names {_call(rewrite, checkpoint, vlm)}")


@app.command()
def inspect(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint folder.")],
) -> None:
    """Verify a checkpoint and print what it knows about itself."""
    from kuavo_train.checkpoint.manifest import read_manifest, verify

    manifest = _call(read_manifest, checkpoint)
    _call(verify, checkpoint, manifest)
    lineage = manifest.lineage
    typer.echo(f"{checkpoint}: whole, {len(manifest.files)} files match their SHA-256")
    typer.echo(f"stage {lineage.stage}, epoch {lineage.epoch}, step {lineage.step}")
    typer.echo(f"parent {lineage.parent}")
    typer.echo(f"normalization {manifest.normalization_hash}")
    for task in lineage.tasks:
        typer.echo(
            f"task {task.id} {task.name}: {len(task.trained)} episodes trained on, "
            f"{len(task.held_out)} held out\n  {task.instruction}"
        )


def _train_all(config_name: str, overrides: list[str], resume: bool) -> None:
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    from kuavo_train.sequential.results import FILE
    from kuavo_train.sequential.run import train_stage

    configs = configs_root() / "policy"
    with initialize_config_dir(str(configs.resolve()), version_base="1.3"):
        for task in load_tasks().values():
            more = [f"task=tasks/{task.folder}", *(["resume=true"] if resume else [])]
            try:
                config = compose(config_name, [*more, *overrides])
            except HydraException as error:
                raise UserError(str(error)) from error
            joint = config.mode == "joint"
            folder = Path(config.output_root) / ("joint" if joint else task.folder)
            if not (resume and (folder / FILE).is_file()):
                train_stage(config, configs, config_name)
            if joint:
                break


def _call(function: Any, *arguments: Any) -> Any:
    """Call, and turn what a person can mend into one sentence."""
    try:
        return function(*arguments)
    except TrainingError as error:
        raise UserError(str(error)) from error
