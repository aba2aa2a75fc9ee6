"""Plays bags into the nodes, one launch each, and scores what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kuavo_eval.replay.capture import Capture
from kuavo_eval.replay.score import Recorded, ReplayScore, read_recorded, score
from kuavo_sim.ros.alone import launch_alone
from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.options import Options
from kuavo_train.tasks import Task

MARK = "replay: "
STARTING = 600.0
"""Master, nodes and policy may take so long [s]."""


def replay_bags(
    bags: Sequence[Path],
    task: Task,
    checkpoint: Path,
    rate: float,
    device: str,
    folder: Path,
    options: Options,
    end_effector: str = "lejuclaw",
    say: Callable[[str], None] = print,
) -> list[ReplayScore]:
    """One score per bag, void with a reason where there is none.

    Args:
        bags: recordings.
        task: what they show, and what the policy is told.
        checkpoint: folder.
        rate: recorded seconds per second.
        device: of the policy.
        folder: for what the nodes said, one folder per bag.
        options: how the bags are read.
        end_effector: of the robot.
        say: gets a line for each thing that happens.
    """
    scores = []
    for bag in bags:
        try:
            recorded = read_recorded(bag, task, options)
        except (BagRefused, OSError) as error:
            scores.append(ReplayScore(bag.name, void=str(error)))
            say(f"{bag.name} is not played: {error}")
            continue
        place = folder / bag.stem
        place.mkdir(parents=True)
        arguments = [
            "replay_eval.launch", f"bag:={bag.absolute()}", f"out:={place.absolute()}",
            "score:=false",
            f"task:={task.name}", f"checkpoint:={checkpoint.absolute()}", f"rate:={rate}",
            f"device:={device}", f"end_effector:={end_effector}",
        ]  # fmt: skip
        scores.append(_played(arguments, place, recorded, rate, say))
    return scores


def _played(
    arguments: Sequence[str],
    place: Path,
    recorded: Recorded,
    rate: float,
    say: Callable[[str], None],
) -> ReplayScore:
    limit = STARTING + 2.0 * float(recorded.times[-1] - recorded.times[0]) / rate
    lines = launch_alone(arguments, place, MARK, say, limit)
    if not (place / "capture.json").exists():
        failed = [line for line in lines if "failed:" in line or "FATAL" in line]
        why = failed[-1].split("failed: ")[-1] if failed else f"see {place / 'launch.txt'}"
        return ReplayScore(recorded.name, void=f"the nodes ended: {why}")
    return score(recorded, Capture.load(place))
