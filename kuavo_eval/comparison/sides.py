"""The two sides of a comparison: which checkpoint of which evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from kuavo_cli.errors import UserError
from kuavo_eval.folder import OFFLINE, SCORES, TRIALS, read_scores
from kuavo_eval.trials import Trial, read_trials, scored
from kuavo_eval.trials.log import FILE as TRIAL_LOG

EPISODES = "episodes.parquet"
"""Of an offline evaluation: one row per checkpoint, task and episode."""


@dataclass(frozen=True)
class Side:
    """One checkpoint's results.

    kind: TRIALS or OFFLINE. label: in its own evaluation. void: trials that do not count, by task.
    trials: those that count. episodes: rows of `EPISODES`.
    """

    folder: Path
    kind: str
    label: str
    sha256: str = ""
    source: str = ""
    trials: list[Trial] = field(default_factory=list)
    void: dict[str, int] = field(default_factory=dict)
    episodes: pd.DataFrame | None = None

    def about(self) -> dict[str, Any]:
        """For the document."""
        return {
            "label": self.label,
            "folder": str(self.folder),
            "checkpoint_sha256": self.sha256,
            "source": self.source,
        }


def open_sides(
    a: Path, b: Path, label_a: str | None = None, label_b: str | None = None
) -> tuple[Side, Side]:
    """Both sides; the same folder twice stands for its two checkpoints.

    Raises:
        UserError: no evaluation, different kinds, a label that is not there or not unique,
            the same checkpoint twice, trials of different kinds of robot.
    """
    labels_a, labels_b = _labels(a), _labels(b)
    if a.resolve() == b.resolve() and label_a is None and label_b is None and len(labels_a) == 2:
        label_a, label_b = labels_a
    first = _side(a, _chosen(a, labels_a, label_a, "--a"))
    second = _side(b, _chosen(b, labels_b, label_b, "--b"))
    if first.kind != second.kind:
        raise UserError(
            f"{a} holds {first.kind} scores, {b} {second.kind} scores: compare like with like"
        )
    if (first.folder.resolve(), first.label) == (second.folder.resolve(), second.label):
        raise UserError(f"both sides are {first.label!r} of {a}: there is nothing to compare")
    if not _alike(first, second):
        raise UserError(
            f"the trials of {a} are from {first.source}, those of {b} from {second.source}: only "
            "one and the same checkpoint's trials in simulation and through the nodes (ros) tell "
            "something about each other"
        )
    return first, second


def all_sides(folder: Path) -> list[Side]:
    """Every checkpoint of an evaluation."""
    return [_side(folder, label) for label in _labels(folder)]


def _alike(a: Side, b: Side) -> bool:
    """Is there one thing only that differs: the checkpoint, or how the simulated robot is run?"""
    simulated = {a.source, b.source} <= {"simulation", "ros"}
    return a.source == b.source or (simulated and bool(a.sha256) and a.sha256 == b.sha256)


def _is_trials(folder: Path) -> bool:
    # A run that was stopped has a log and no summary yet.
    return (folder / TRIAL_LOG).is_file()


def _labels(folder: Path) -> list[str]:
    if _is_trials(folder):
        return list(dict.fromkeys(trial.checkpoint for trial in read_trials(folder)))
    read_scores(folder, OFFLINE, TRIALS)
    return list(dict.fromkeys(_episodes(folder)["checkpoint"]))


def _chosen(folder: Path, labels: list[str], label: str | None, option: str) -> str:
    if label is None and len(labels) == 1:
        return labels[0]
    if not labels:
        raise UserError(f"{folder} has no results yet")
    if label not in labels:
        problem = f"no checkpoint {label!r}" if label else f"{len(labels)} checkpoints"
        raise UserError(f"{folder} has {problem}: choose with {option} from {', '.join(labels)}")
    return label


def _side(folder: Path, label: str) -> Side:
    if not _is_trials(folder):
        table = _episodes(folder)
        about = read_scores(folder)["provenance"].get("checkpoints", {}).get(label, {})
        rows = table[table["checkpoint"] == label]
        return Side(folder, OFFLINE, label, about.get("sha256", ""), "recordings", episodes=rows)
    attempts = [trial for trial in read_trials(folder) if trial.checkpoint == label]
    sources, hashes = ({getattr(t, n) for t in attempts} for n in ("source", "checkpoint_sha256"))
    if len(sources) > 1 or len(hashes) > 1:
        raise UserError(
            f"the trials of {label!r} in {folder} are from several checkpoints or robots "
            f"({', '.join(sorted({*sources, *(h[:12] for h in hashes)}))})"
        )
    counting = scored(attempts)
    void: dict[str, int] = {}
    for trial in attempts:
        if not trial.scored:
            void[trial.task] = void.get(trial.task, 0) + 1
    return Side(folder, TRIALS, label, hashes.pop(), sources.pop(), counting, void)


def _episodes(folder: Path) -> pd.DataFrame:
    file = folder / EPISODES
    try:
        return pd.read_parquet(file)
    except FileNotFoundError:
        raise UserError(f"{folder} has {SCORES} but no {EPISODES}: copy the whole folder") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}") from error
