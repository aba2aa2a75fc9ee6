"""One task's recordings: states and actions in memory, images on demand, checked when opened.

The dataset is LeRobot v3.0, read with lerobot. States and actions of a few hundred episodes are
a few MB, so they are loaded once: they serve the checks, the statistics and the action chunks.
Images stay on disk (`frame_images`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lerobot.datasets.lerobot_dataset import CODEBASE_VERSION, LeRobotDataset

from kuavo_deploy.robot.topics import ACTION_FEATURE, CAMERAS, IMAGE_FEATURES, STATE_FEATURE
from kuavo_train.data.decoding import decoder
from kuavo_train.data.metadata import EPISODES_FILE, drawn_every, read_episodes
from kuavo_train.episodes.present import check_present
from kuavo_train.errors import DataError
from kuavo_train.policy.action_space import STATE_DIM, to_unified
from kuavo_train.tasks import Task, TaskRegistry, UnknownTask

CAMERA_FEATURES = tuple(IMAGE_FEATURES[camera] for camera in CAMERAS)


@dataclass(frozen=True)
class EpisodeTable:
    """The checked recordings of one task.

    states: (N, 16). actions: (N, 16 or 20), as recorded. unified: (N, 20).
    starts, ends: (E,) rows of each episode. hashes: (E,) SHA-256 of states and actions.
    drawn_every: (E,) images are drawn at every nth row of an episode and held between.
    """

    task: Task
    root: Path
    dataset: LeRobotDataset
    states: np.ndarray
    actions: np.ndarray
    unified: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    hashes: tuple[str, ...]
    drawn_every: np.ndarray

    @property
    def episodes(self) -> range:
        """Indices of all episodes."""
        return range(len(self.starts))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(3, height, width) of the head camera's recordings."""
        height, width = self.dataset.meta.features[CAMERA_FEATURES[0]]["shape"][:2]
        return 3, int(height), int(width)

    def rows(self, episodes: Sequence[int]) -> np.ndarray:
        """The rows of some episodes whose images were drawn for them, in order."""
        parts = [np.arange(self.starts[e], self.ends[e], self.drawn_every[e]) for e in episodes]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    @property
    def drawn(self) -> np.ndarray:
        """`rows` of all episodes."""
        return self.rows(self.episodes)

    def locate(self, row: int) -> str:
        """Where a row lies, in words."""
        episode = int(np.searchsorted(self.starts, row, side="right") - 1)
        return f"{self.task.name} episode {episode} frame {row - int(self.starts[episode])}"

    def chunk(self, row: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """The actions from `row` on.

        Returns:
            Actions, shape (steps, 20), the last one repeated past the episode's end, and the
            mask of these repetitions, shape (steps,).
        """
        end = int(self.ends[np.searchsorted(self.starts, row, side="right") - 1])
        wanted = np.arange(row, row + steps)
        return self.unified[np.minimum(wanted, end - 1)], wanted >= end

    def frame_images(self, row: int) -> dict[str, Any]:
        """The three camera images of a row, float CHW in 0…1 at their recorded size."""
        item = self.dataset[int(row)]
        return {name: item[name] for name in CAMERA_FEATURES}


def open_table(task: Task, root: Path | str, registry: TaskRegistry, fps: int) -> EpisodeTable:
    """Open and check a task's dataset.

    Raises:
        DataError: missing, other cameras or dimensions, another rate, an empty episode, NaN
            (named by episode and frame), or the recordings of another task.
    """
    root = Path(root)
    check_present(task, root)
    _check_format(task, root)
    try:
        dataset = LeRobotDataset(f"kuavo/{task.name}", root=root, video_backend=decoder())
    except Exception as error:  # lerobot, datasets and pyarrow each have their own
        raise DataError(f"{_name(task, root)} cannot be read: {error}") from error
    _check_features(task, root, dataset.meta.features, dataset.meta.fps, fps)
    _check_instruction(task, root, list(dataset.meta.tasks.index), registry)
    starts, ends = _episode_bounds(task, root, dataset)
    columns = dataset.hf_dataset.with_format("numpy").select_columns(
        [STATE_FEATURE, ACTION_FEATURE]
    )
    content = columns[:]
    states = np.asarray(content[STATE_FEATURE], dtype=np.float32)
    actions = np.asarray(content[ACTION_FEATURE], dtype=np.float32)
    if len(states) != int(ends[-1]):
        raise DataError(f"{_name(task, root)}: {len(states)} frames, the episodes say {ends[-1]}")
    _check_finite(task, root, {"state": states, "action": actions}, starts)
    hashes = tuple(
        hashlib.sha256(states[a:b].tobytes() + actions[a:b].tobytes()).hexdigest()
        for a, b in zip(starts, ends, strict=True)
    )
    return EpisodeTable(
        task,
        root,
        dataset,
        states,
        actions,
        to_unified(actions),
        starts,
        ends,
        hashes,
        _drawn_every(task, root, len(starts)),
    )


def _name(task: Task, root: Path) -> str:
    return f"task {task.id} ({task.name}), dataset {root}"


def _check_format(task: Task, root: Path) -> None:
    try:
        info = json.loads((root / "meta" / "info.json").read_text(encoding="utf-8"))
        version = str(info["codebase_version"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{_name(task, root)}: meta/info.json is damaged: {error!r}") from error
    if version.partition(".")[0] != CODEBASE_VERSION.partition(".")[0]:
        place = root.resolve()
        raise DataError(
            f"{_name(task, root)} is in LeRobot's format {version}, training reads "
            f"{CODEBASE_VERSION}. From v2.1 lerobot converts it (the old one stays beside it):\n"
            "  python -m lerobot.datasets.v30.convert_dataset_v21_to_v30 "
            f"--root={place.parent} --repo-id={place.name} --push-to-hub=false"
        )


def _check_features(task: Task, root: Path, features: dict, fps: float, wanted_fps: int) -> None:
    where = _name(task, root)
    cameras = {name for name in features if name.startswith("observation.images.")}
    missing, extra = set(CAMERA_FEATURES) - cameras, cameras - set(CAMERA_FEATURES)
    if missing or extra:
        problem = [f"misses {', '.join(sorted(missing))}"] if missing else []
        problem += [f"has unknown {', '.join(sorted(extra))}"] if extra else []
        raise DataError(f"{where} {' and '.join(problem)}: expected {', '.join(CAMERA_FEATURES)}")
    for name, dim in ((STATE_FEATURE, STATE_DIM), (ACTION_FEATURE, task.action_dim)):
        shape = tuple(features[name]["shape"]) if name in features else None
        if shape != (dim,):
            raise DataError(f"{where}: {name} has shape {shape}, this task has ({dim},)")
    if fps != wanted_fps:
        raise DataError(
            f"{where} was recorded at {fps} frames per second, training expects {wanted_fps}: "
            f"convert it again, or set data.fps={fps} for all tasks"
        )


def _check_instruction(task: Task, root: Path, texts: list[str], registry: TaskRegistry) -> None:
    for text in texts:
        try:
            found = registry.named(text)
        except UnknownTask:
            continue  # another wording: the registry's instruction is what the policy is told
        if found.name != task.name:
            raise DataError(
                f"{_name(task, root)} was recorded with the instruction of task {found.id} "
                f"({found.name}): is data.roots.task{task.id} the right folder?"
            )


def _episode_bounds(task: Task, root: Path, dataset: LeRobotDataset) -> tuple[Any, Any]:
    episodes = dataset.meta.episodes
    starts = np.asarray(episodes["dataset_from_index"], dtype=np.int64)
    ends = np.asarray(episodes["dataset_to_index"], dtype=np.int64)
    if len(starts) == 0:
        raise DataError(f"{_name(task, root)} has no episodes")
    empty = np.nonzero(ends <= starts)[0]
    if len(empty):
        raise DataError(f"{_name(task, root)}: episode {empty[0]} is empty; remove it")
    return starts, ends


def _drawn_every(task: Task, root: Path, episodes: int) -> np.ndarray:
    try:
        found = np.array([drawn_every(note) for note in read_episodes(root)], dtype=np.int64)
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{_name(task, root)}: {EPISODES_FILE} is damaged: {error}") from error
    if (found == 1).all():
        return np.ones(episodes, dtype=np.int64)
    if len(found) != episodes:
        raise DataError(
            f"{_name(task, root)} has {episodes} episodes, {EPISODES_FILE} says of "
            f"{len(found)} at which frames their cameras drew: record or join it again"
        )
    return found


def _check_finite(task: Task, root: Path, arrays: dict[str, np.ndarray], starts: Any) -> None:
    for kind, array in arrays.items():
        bad = np.nonzero(~np.isfinite(array).all(axis=1))[0]
        if len(bad):
            row = int(bad[0])
            episode = int(np.searchsorted(starts, row, side="right") - 1)
            raise DataError(
                f"{_name(task, root)}: {kind} is not finite in episode {episode}, frame "
                f"{row - int(starts[episode])} ({len(bad)} such frames in all)"
            )
