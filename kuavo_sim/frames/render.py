"""Render labelled frames of random scenes into shards, in parallel, resumable.

A shard is one scene's file, `TASK_SEED.npz`; F frames, N named things, C = 3 cameras, S the
policy's image side, M motions of T steps:

    images     (F, C, S, S, 3) uint8   letterboxed as the policy sees them
    classes    (F, C, S, S) uint8      index into `things.CLASSES`, 255 where padded
    states     (F, 16)                 robot units
    places     (F, N, C, 2)            in the letterboxed square, −1 … 1, x right, y down
    metres     (F, N, C)               length of one unit of the square at its depth [m]
    visible    (F, N, C) bool          its middle is in the picture and enough of it is seen
    chunks     (M, T, 20)              actions of motions; `motions` names frame, kind, thing, side
    about      JSON: task, seed, things, motions
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kuavo_cli.progress import Progress
from kuavo_deploy.robot import layout
from kuavo_deploy.robot.topics import CAMERAS
from kuavo_sim.frames.cameras import Segmenter, letterboxed, project
from kuavo_sim.frames.moments import Moments
from kuavo_sim.frames.motions import Motions
from kuavo_sim.frames.things import Thing, class_of_geoms, things
from kuavo_sim.scenes import SCENES
from kuavo_sim.simulation import Simulation
from kuavo_train.data.pool import run_all
from kuavo_train.policy.preprocessing import image_tensor

RENDERED = (480, 640)
"""Height and width of the robot's images [px]."""
PADDED = 255
ENOUGH = 5
"""A thing is visible when so many of the policy's pixels show it."""
REACHES = 4


class ShardJob(NamedTuple):
    """folder: where the shard goes. frames: moments of its scene. size: S. steps: T."""

    folder: Path
    task: str
    seed: int
    frames: int
    size: int
    steps: int

    @property
    def path(self) -> Path:
        """Of the finished shard."""
        return self.folder / f"{self.task}_{self.seed:08d}.npz"


def render_frames(
    folder: Path, scenes: int, frames: int, size: int, steps: int, seed: int, workers: int
) -> int:
    """Render `scenes` scenes of every task, `frames` moments each; finished shards are kept.

    Returns:
        How many frames there are now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        ShardJob(folder, task, seed + i, frames, size, steps)
        for i in range(scenes)
        for task in SCENES
        if task != "moving_grasp" or i % 2 == 0  # the same cell as weighing
    ]
    missing = [job for job in jobs if not job.path.is_file()]
    with Progress("rendering", len(jobs), unit="scenes") as progress:
        progress.advance(len(jobs) - len(missing))
        for job, _ in run_all(render_shard, missing, workers):
            progress.advance(1, note=f"{job.task} {job.seed}")
    return len(jobs) * frames


def render_shard(job: ShardJob) -> None:
    """Render one scene's moments and write its shard in one step."""
    rng = np.random.default_rng([job.seed, SCENES.index(job.task)])
    sim = Simulation(job.task, job.seed)
    try:
        content = _Shard(sim, job, rng).render()
    finally:
        sim.close()
    beside = job.path.with_name(f".{job.path.name}.{os.getpid()}")
    with open(beside, "wb") as file:
        np.savez_compressed(file, **content)
    os.replace(beside, job.path)


def read_shard(path: Path) -> dict[str, Any]:
    """A shard's arrays, and `about` as a dictionary.

    Raises:
        ValueError: the file is no shard.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            content: dict[str, Any] = {name: stored[name] for name in stored.files}
        content["about"] = json.loads(str(content["about"]))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no shard of labelled frames: {error}") from error
    return content


class _Shard:
    """Renders and labels the moments of one simulation."""

    def __init__(self, sim: Simulation, job: ShardJob, rng: np.random.Generator) -> None:
        self._sim, self._job = sim, job
        self._named = things(sim)
        self._classes = class_of_geoms(sim)
        self._geoms = [thing.geoms(sim) for thing in self._named]
        self._moments = Moments(sim, rng)
        self._motions = Motions(sim, self._moments, self._named, job.steps, rng)
        self._rows = round(job.size * RENDERED[0] / RENDERED[1])

    def render(self) -> dict[str, Any]:
        """All arrays of the shard."""
        segmenter = Segmenter(self._sim, self._rows, self._job.size)
        parts: dict[str, list[Any]] = {
            name: [] for name in ("images", "classes", "states", "places", "metres", "visible")
        }
        motions: list[dict[str, Any]] = []
        chunks: list[np.ndarray] = []
        try:
            for frame in range(self._job.frames):
                self._moments.draw()
                for name, value in self._look(segmenter).items():
                    parts[name].append(value)
                for motion in self._motions.draw(REACHES):
                    chunks.append(motion.chunk.astype(np.float32))
                    motions.append({"frame": frame, **motion._asdict(), "chunk": None})
        finally:
            segmenter.close()
        about = {
            "task": self._job.task,
            "seed": self._job.seed,
            "things": [_described(thing) for thing in self._named],
            "motions": motions,
        }
        arrays = {name: np.stack(values) for name, values in parts.items()}
        return {**arrays, "chunks": np.stack(chunks), "about": json.dumps(about)}

    def _look(self, segmenter: Segmenter) -> dict[str, np.ndarray]:
        sim, size = self._sim, self._job.size
        positions = np.array([thing.position(sim) for thing in self._named])
        images, classes, places, metres, visible = [], [], [], [], []
        for camera in CAMERAS:
            image = image_tensor(sim.render(camera, *RENDERED), (size, size))
            images.append((image * 255).round().byte().permute(1, 2, 0).numpy())
            seen = segmenter(sim.data, camera)
            padded = np.full((size, size), PADDED, dtype=np.uint8)
            padded[size - self._rows :] = np.where(seen >= 0, self._classes[seen], 0)
            classes.append(padded)
            at = project(sim, camera, positions)
            places.append(letterboxed(at.places))
            metres.append(at.metres)
            count = np.array([np.isin(seen, geoms).sum() for geoms in self._geoms])
            visible.append(at.inside & (count >= ENOUGH))
        state = layout.join(self._moments.arms, self._moments.closures)
        return {
            "images": np.stack(images),
            "classes": np.stack(classes),
            "states": state.astype(np.float32),
            "places": np.stack(places, axis=1).clip(-9, 9).astype(np.float32),
            "metres": np.stack(metres, axis=1).astype(np.float32),
            "visible": np.stack(visible, axis=1),
        }


def _described(thing: Thing) -> dict[str, Any]:
    return {"kind": thing.kind, "details": list(thing.details)}
