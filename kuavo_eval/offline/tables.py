"""The tables beside `scores.json`: sums per episode, actions per frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kuavo_deploy.robot.layout import ACTION_NAMES
from kuavo_eval.offline.episodes import FPS
from kuavo_eval.offline.scores import OfflineScores

EPISODES, FRAMES = "episodes.parquet", "frames.parquet"


def write_tables(scores: OfflineScores, folder: Path) -> None:
    """Write both; frames only where actions were predicted."""
    episode_table(scores).to_parquet(folder / EPISODES, index=False)
    frames = list(_frames(scores))
    if frames:
        pd.concat(frames, ignore_index=True).to_parquet(folder / FRAMES, index=False)


def episode_table(scores: OfflineScores) -> pd.DataFrame:
    """One row per checkpoint, task and episode: error and loss as sums and counts (null: none)."""
    rows: list[dict[str, Any]] = []
    for label in scores.labels:
        for task in scores.tasks:
            errors, losses = scores.error_sums(label, task), scores.loss_sums(label, task)
            for i, episode in enumerate(scores.data[task].episodes):
                row = {"checkpoint": label, "task": task, "episode": episode.key}
                pairs = (("error", errors), ("loss", losses))
                for name, (sums, counts) in pairs:
                    row |= {f"{name}_sum": sums[i], f"{name}_count": counts[i]}
                rows.append({**row, "name": episode.name, "frames": len(episode)})
    return pd.DataFrame(rows)


def _frames(scores: OfflineScores) -> Iterator[pd.DataFrame]:
    """Recorded and (temporally ensembled) predicted actions of every frame."""
    for label in scores.labels:
        for task in scores.tasks:
            for episode, found in zip(
                scores.data[task].episodes, scores.results[label][task].episodes, strict=False
            ):
                length, dim = episode.actions.shape
                columns: dict[str, Any] = {
                    "checkpoint": label,
                    "task": task,
                    "episode": episode.key,
                    "frame": np.arange(length),
                    "time_s": np.arange(length) / FPS,
                }
                for joint in range(dim):
                    name = ACTION_NAMES[joint]
                    columns[f"recorded_{name}"] = episode.actions[:, joint]
                    columns[f"predicted_{name}"] = found.stream[:, joint].astype(np.float32)
                yield pd.DataFrame(columns)
