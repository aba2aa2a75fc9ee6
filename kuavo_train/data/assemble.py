"""Joins finished episodes into one LeRobot dataset, in order, through LeRobot's own functions."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
from lerobot.datasets.aggregate import aggregate_datasets

from kuavo_cli.jsonio import to_plain
from kuavo_train.data.decoding import quiet
from kuavo_train.data.episode import DATASET_FOLDER, repo_id
from kuavo_train.data.features import FPS, UNITS
from kuavo_train.data.metadata import ABOUT_FILE, EPISODES_FILE, dump_episodes
from kuavo_train.data.workspace import Workspace
from kuavo_train.tasks import Task

VIDEO_FILE_MB = 10
"""Joining rewrites the file that grows, so big files would make 200 episodes quadratic."""


def assemble(
    workspace: Workspace,
    task: Task,
    keys: Sequence[str],
    about: dict[str, Any],
    notes: dict[str, str] | None = None,
) -> None:
    """Join the workspace's items `keys`, in this order, and complete it.

    Args:
        workspace: holds the items; becomes the dataset.
        task: of all episodes.
        keys: items to join, one episode each; their results become the episodes' metadata.
        about: more facts for `meta/kuavo.json`.
        notes: more files to write, path → text.
    """
    roots = [workspace.items / key / DATASET_FOLDER for key in keys]
    episodes = [
        {"episode_index": index, **(workspace.result(key) or {})} for index, key in enumerate(keys)
    ]
    facts = {
        "task_id": task.id,
        "task_name": task.name,
        "instruction": task.instruction,
        "fps": FPS,
        "units": UNITS,
        **about,
    }
    aggregate(workspace, task, roots, episodes, facts, notes)


def aggregate(
    workspace: Workspace,
    task: Task,
    roots: Sequence[Path],
    episodes: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any],
    notes: Mapping[str, str] | None = None,
) -> None:
    """Join the datasets `roots`, in this order, and complete the workspace with the result.

    Args:
        workspace: becomes the dataset.
        task: of all episodes.
        roots: LeRobot datasets; they stay.
        episodes: metadata of all their episodes.
        facts: for `meta/kuavo.json`.
        notes: more files to write, path → text.
    """
    shutil.rmtree(workspace.dataset, ignore_errors=True)  # of an interrupted call
    with _quiet(workspace.folder / "cache"):
        aggregate_datasets(
            repo_ids=[repo_id(task)] * len(roots),
            aggr_repo_id=repo_id(task),
            roots=list(roots),
            aggr_root=workspace.dataset,
            video_files_size_in_mb=VIDEO_FILE_MB,
        )
    workspace.complete_with(
        {
            EPISODES_FILE: dump_episodes(episodes),
            ABOUT_FILE: json.dumps(to_plain(dict(facts)), indent=2, ensure_ascii=False) + "\n",
            **(notes or {}),
        }
    )


@contextlib.contextmanager
def _quiet(cache: Path) -> Iterator[None]:
    """LeRobot's own bars and log lines away, and its Arrow cache beside the workspace."""
    before = datasets.config.HF_DATASETS_CACHE
    level = logging.root.level
    datasets.config.HF_DATASETS_CACHE = cache
    logging.root.setLevel(logging.WARNING)
    quiet()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        datasets.config.HF_DATASETS_CACHE = before
        logging.root.setLevel(level)
