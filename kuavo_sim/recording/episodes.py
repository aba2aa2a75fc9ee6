"""One expert's episode in the simulation, written as an episode dataset and, if wanted, a bag."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.base import OutOfReach
from kuavo_sim.recording.disturbance import Disturbance
from kuavo_sim.recording.robot_bag import RobotBag
from kuavo_sim.recording.sim_bag import BagOptions, SimBag
from kuavo_train.data.episode import EpisodeDataset, Frame
from kuavo_train.data.features import ImageSizes
from kuavo_train.data.workspace import ItemFolder
from kuavo_train.tasks import task_named

BAG_FILE = "episode.bag"
SUCCESS, FAILED = "success", "failed"


class EpisodeJob(NamedTuple):
    """What one worker does.

    items: where finished episodes go. key: this one's folder there. bag: how to write a bag, or
    None. max_frames: stop after so many frames, successful or not (short samples), or None.
    keep_failures: record episodes that do not succeed too. disturbance: of the arms while the
    expert demonstrates, its largest deviation [rad].
    """

    items: Path
    key: str
    task: str
    seed: int
    image_size: tuple[int, int]
    bag: BagOptions | None
    max_frames: int | None = None
    keep_failures: bool = False
    disturbance: float = 0.0


def record_one(job: EpisodeJob) -> str:
    """Run the expert on the job's seed; gives SUCCESS or FAILED.

    A failed episode leaves its outcome, no frames.
    """
    with ItemFolder(job.items, job.key) as item:
        result = _run(job, item.path)
        if result["status"] == FAILED and not job.keep_failures:
            shutil.rmtree(item.path)
            item.path.mkdir()
        item.finish(result)
        return str(result["status"])


def _run(job: EpisodeJob, folder: Path) -> dict[str, Any]:
    if job.bag is None:
        return _play(job, folder, None)
    with RobotBag(folder / BAG_FILE, job.bag.compression) as bag:
        return _play(job, folder, SimBag(bag, job.bag))


def _play(job: EpisodeJob, folder: Path, bag: SimBag | None) -> dict[str, Any]:
    env = KuavoEnv(job.task, image_size=job.image_size)
    sizes: ImageSizes = dict.fromkeys(topics.CAMERAS, job.image_size)
    episode = EpisodeDataset(folder, task_named(job.task), sizes)
    try:
        observation, info = env.reset(seed=job.seed)
        if bag is not None:
            bag(env.sim)
            env.on_substep.append(bag)
        expert = make_expert(env.sim, np.random.default_rng(job.seed))
        disturb = Disturbance(job.disturbance, np.random.default_rng([job.seed, 2]))
        ended, lost = False, None
        while not ended:
            try:
                action = expert.act()
            except OutOfReach as error:
                lost = str(error)
                break
            images = {camera: observation[camera] for camera in topics.CAMERAS}
            episode.add(Frame(observation["state"], action, images))
            observation, _, terminated, truncated, info = env.step(disturb(action))
            ended = terminated or truncated or episode.length == job.max_frames
        cut = job.max_frames is not None and episode.length == job.max_frames
        success = bool(info["success"]) or (cut and info["failure"] is None and lost is None)
        return {
            "task": job.task,
            "seed": job.seed,
            "status": SUCCESS if success else FAILED,
            "success": bool(info["success"]),
            "failure": info["failure"] or lost or (None if success else "out of time"),
            "stages": info["stages"],
            **episode.finish(),
        }
    except BaseException:
        episode.abandon()
        raise
    finally:
        env.close()
