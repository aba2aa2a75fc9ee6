"""The steps that make the demo model, each an ordinary command that goes on where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from kuavo_train.checkpoint.shipped import shipped_base, shipped_first
from kuavo_train.errors import TrainingError
from kuavo_train.sequential.plan import JOINT
from kuavo_train.tasks import load_tasks


@dataclass
class FramesPart:
    """Labelled frames: scenes of each task, moments of each scene, first seed, their size."""

    scenes: int = 400
    moments: int = 8
    seed: int = 1_000_000
    size: int = 96
    steps: int = 20


@dataclass
class TrainingPart:
    """A configuration's name, and what is set differently."""

    config: str = "nano"
    settings: list[str] = field(default_factory=list)


@dataclass
class CurriculumPart(TrainingPart):
    """processes: that share every step; the configuration's batch_size is of each."""

    processes: int = 1


@dataclass
class PretrainingPart(TrainingPart):
    """shipped: take the base model that comes with the project instead of making one."""

    shipped: bool = False


@dataclass
class RecordingPart:
    """Demonstrations of each task; `glance` and `clumsy` are not of rescues."""

    episodes: int = 200
    seed: int = 10_000
    disturbance: float = 0.025
    whims: float = 1.0
    glance: float = 0.0
    clumsy: float = 0.0
    shadows: bool = True
    draw_every: int = 1
    height: int = 480
    width: int = 640


@dataclass
class BeginningsPart:
    """More demonstrations, cut after the first grasp, of the tasks in `seconds`: how long they are.

    They are as the whole ones, but never begin clumsily.
    """

    episodes: int = 0
    seed: int = 20_000
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class EndingsPart:
    """More demonstrations, of what follows a stage, of the tasks in `stages`: which one it is.

    They are as the whole ones, but never begin clumsily.
    """

    episodes: int = 0
    seed: int = 30_000
    stages: dict[str, str] = field(default_factory=dict)


@dataclass
class RescuesPart:
    """Ways out of a first model's failures, that is trained jointly; 0 scenes for none.

    scenes: of each task that it tries. latency: of that model's inference [s]. shipped: take the
    one that comes with the project instead of training one.
    """

    scenes: int = 0
    seed: int = 50_000
    latency: float = 0.15
    moments: int = 10
    shipped: bool = False


@dataclass
class TrialsPart:
    """Closed-loop trials of each task; 0 episodes for none."""

    episodes: int = 100
    seed: int = 1000


@dataclass
class Recipe:
    """Everything that decides the result."""

    frames: FramesPart = field(default_factory=FramesPart)
    pretraining: PretrainingPart = field(default_factory=PretrainingPart)
    recording: RecordingPart = field(default_factory=RecordingPart)
    beginnings: BeginningsPart = field(default_factory=BeginningsPart)
    endings: EndingsPart = field(default_factory=EndingsPart)
    rescues: RescuesPart = field(default_factory=RescuesPart)
    training: CurriculumPart = field(
        default_factory=lambda: CurriculumPart("smolvla_sequential_demo")
    )
    trials: TrialsPart = field(default_factory=TrialsPart)


class Step(NamedTuple):
    """A command (its arguments after `kuavo`), what it makes, and a name for both."""

    name: str
    arguments: list[str]
    makes: Path


def read_recipe(file: Path, overrides: Sequence[str]) -> Recipe:
    """The recipe in a file, with `part.key=value` overrides.

    Raises:
        TrainingError: no file, an unknown key or a wrong type.
    """
    try:
        merged: Any = OmegaConf.merge(
            OmegaConf.structured(Recipe),
            OmegaConf.load(file),
            OmegaConf.from_dotlist(list(overrides)),
        )
        recipe: Recipe = OmegaConf.to_object(merged)  # type: ignore[assignment]
    except (OSError, OmegaConfBaseException) as error:
        raise TrainingError(f"recipe of the demo model: {str(error).splitlines()[0]}") from error
    return recipe


def steps(recipe: Recipe, out: Path, workers: int) -> list[Step]:
    """All steps in order, into the folder `out`."""
    frames = recipe.frames
    out = out.absolute()
    tasks = load_tasks()
    last = list(tasks.values())[-1]
    common = ["--workers", str(workers)]
    base = shipped_base() if recipe.pretraining.shipped else out / "base"
    pretraining = [
        Step(
            "frames",
            ["sim", "frames", "--out", str(out / "frames"), "--scenes", str(frames.scenes),
             "--moments", str(frames.moments), "--size", str(frames.size),
             "--steps", str(frames.steps), "--seed", str(frames.seed), *common],
            out / "frames",
        ),
        Step(
            "base",
            ["train", "pretrain", "--frames", str(out / "frames"), "--out", str(base),
             "--config-name", recipe.pretraining.config, *_set(recipe.pretraining.settings)],
            base,
        ),
    ]  # fmt: skip
    made = [] if recipe.pretraining.shipped else pretraining
    made += [step for task in tasks for step in _demonstrations(recipe, task, out, common)]
    data = out / "data"
    if recipe.rescues.scenes:
        made += _rescues(recipe, out, base, common)
        data = out / "all"
    trained = out / "train" / last.folder / "best"
    made += [
        Step(
            "stages",
            _training(recipe, out, base, data, "train"),
            trained,
        ),
        Step("model", ["train", "half", str(trained), str(out / "model")], out / "model"),
    ]  # fmt: skip
    if recipe.trials.episodes:
        made.append(
            Step(
                "trials",
                ["eval", "sim", "--checkpoint", f"demo={out / 'model'}", "--task", "all",
                 "--episodes", str(recipe.trials.episodes), "--seed", str(recipe.trials.seed),
                 "--out", str(out / "trials"), *common],
                out / "trials",
            )
        )  # fmt: skip
    return made


def _demonstrations(recipe: Recipe, task: str, out: Path, common: Sequence[str]) -> list[Step]:
    """Whole ones, beginnings and endings, in one dataset."""
    whole, first, last = recipe.recording, recipe.beginnings, recipe.endings
    parts: dict[str, tuple[int, int, list[str]]] = {}
    if first.episodes and task in first.seconds:
        parts["beginnings"] = first.episodes, first.seed, ["--seconds", str(first.seconds[task])]
    if last.episodes and task in last.stages:
        parts["endings"] = last.episodes, last.seed, ["--from", last.stages[task]]
    folder = out / "whole" if parts else out / "data"
    made = [
        _recorded(f"demonstrations of {task}", task, folder, whole, whole.episodes, whole.seed,
                  ["--clumsy", str(whole.clumsy), *common]),
        *(
            _recorded(f"{name} of {task}", task, out / name, whole, episodes, seed,
                      [*more, *common])
            for name, (episodes, seed, more) in parts.items()
        ),
    ]  # fmt: skip
    if parts:
        folders = [folder, *(out / name for name in parts)]
        made.append(_joined(f"whole and parts of {task}", task, folders, out / "data"))
    return made


def _joined(name: str, task: str, parts: Sequence[Path], folder: Path) -> Step:
    sources = [str(part / task) for part in parts]
    return Step(name, ["data", "join", *sources, "--out", str(folder / task)], folder / task)


def _recorded(
    name: str, task: str, folder: Path, recording: RecordingPart, episodes: int, seed: int,
    more: Sequence[str],
) -> Step:  # fmt: skip
    return Step(
        name,
        ["sim", "record", "--task", task, "--out", str(folder / task),
         "--episodes", str(episodes), "--seed", str(seed),
         "--glance", str(recording.glance), *_as_recorded(recording), *more],
        folder / task,
    )  # fmt: skip


def _as_recorded(recording: RecordingPart) -> list[str]:
    return [
        "--disturbance", str(recording.disturbance), "--whims", str(recording.whims),
        "--height", str(recording.height), "--width", str(recording.width),
        "--shadows" if recording.shadows else "--no-shadows",
        "--draw-every", str(recording.draw_every),
    ]  # fmt: skip


def _rescues(recipe: Recipe, out: Path, base: Path, common: Sequence[str]) -> list[Step]:
    """A first model, ways out of its failures, and these and the demonstrations in one."""
    part = recipe.rescues
    first = shipped_first() if part.shipped else out / "first" / JOINT / "best"
    jointly = _training(recipe, out, base, out / "data", "first", "mode=joint")
    made = [] if part.shipped else [Step("first model", jointly, first)]
    for task in load_tasks():
        rescued = out / "rescues" / task
        made += [
            Step(
                f"rescues of {task}",
                ["sim", "rescue", "--task", task, "--policy", str(first), "--out", str(rescued),
                 "--scenes", str(part.scenes), "--seed", str(part.seed),
                 "--latency", str(part.latency), "--moments", str(part.moments),
                 *_as_recorded(recipe.recording), *common],
                rescued,
            ),
            _joined(f"all of {task}", task, [out / "data", out / "rescues"], out / "all"),
        ]  # fmt: skip
    return made


def _training(
    recipe: Recipe, out: Path, base: Path, data: Path, name: str, *more: str
) -> list[str]:
    settings = [
        *more,
        f"data.root='{data}/{{name}}'",
        f"policy.pretrained='{base}'",
        f"output_root='{out}/{name}'",
        f"log_file='{out}/{name}.log'",
        f"cache.folder='{out}/cache'",
        *recipe.training.settings,
    ]
    command = [
        *("train", "--all", "--resume", "--config-name", recipe.training.config),
        *("--processes", str(recipe.training.processes)),
    ]
    return [*command, *_set(settings)]


def _set(settings: Sequence[str]) -> list[str]:
    return [part for setting in settings for part in ("-s", setting)]
