"""Joins finished episodes into one LeRobot dataset, in order, through LeRobot's own functions."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
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

VIDEO_FILE_MB = 40
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
    shutil.rmtree(workspace.dataset, ignore_errors=True)
    with quietly(workspace.folder / "cache"):
        aggregate_datasets(
            repo_ids=[repo_id(task)] * len(keys),
            aggr_repo_id=repo_id(task),
            roots=[workspace.items / key / DATASET_FOLDER for key in keys],
            aggr_root=workspace.dataset,
            video_files_size_in_mb=VIDEO_FILE_MB,
        )
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
    workspace.complete_with(
        {
            EPISODES_FILE: dump_episodes(episodes),
            ABOUT_FILE: json.dumps(to_plain(facts), indent=2, ensure_ascii=False) + "\n",
            **(notes or {}),
        }
    )


@contextlib.contextmanager
def quietly(cache: Path) -> Iterator[None]:
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
