"""One expert's episode in the simulation, written as an episode dataset and, if wanted, a bag."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_sim.env import CONTROL_HZ, KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.base import Expert, OutOfReach
from kuavo_sim.experts.whims import Whims
from kuavo_sim.recording.disturbance import Disturbance
from kuavo_sim.recording.glances import Glances
from kuavo_sim.recording.robot_bag import RobotBag
from kuavo_sim.recording.sim_bag import BagOptions, SimBag
from kuavo_sim.trials import play
from kuavo_train.data.episode import EpisodeDataset, Frame
from kuavo_train.data.features import ImageSizes
from kuavo_train.data.metadata import DRAWN_EVERY
from kuavo_train.data.workspace import ItemFolder
from kuavo_train.tasks import task_named

BAG_FILE = "episode.bag"
SUCCESS, FAILED, OVER = "success", "failed", "over"
SHORTEST = 2
"""An episode has so many frames or more."""
VERDICT = 5.0
"""An expert that has done all it wanted waits so long for success [s]; all succeed before."""
IN_VAIN = "the expert has done all it wanted, in vain"


class LeadIn(Protocol):
    """What happens in an episode before the expert takes over and the recording begins."""

    def __call__(self, env: KuavoEnv, info: dict[str, Any], seed: int) -> str | None:
        """Drive the freshly reset environment; info: that the reset gave.

        Gives None when it is the expert's turn, else why there is nothing left to demonstrate.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """All that decides the course of it, as JSON values."""
        ...


TURN = "the expert's turn"
"""Why a lead-in ends when nothing else has ended it."""


def lead(
    env: KuavoEnv,
    info: dict[str, Any],
    act: Callable[[], np.ndarray],
    over: Callable[[], str | None],
    who: str,
) -> str | None:
    """Let `act` drive, unseen by the cameras, until `over` gives TURN; gives what a `LeadIn` does.

    Args:
        env: freshly reset.
        info: that the reset gave.
        act: see `kuavo_sim.trials.play`.
        over: asked after every period.
        who: drives.
    """
    cameras, env.cameras = env.cameras, ()
    try:
        ended = play(env, info, act, over).info
    finally:
        env.cameras = cameras
    if ended["success"]:
        return f"{who} did it"
    return str(ended["failure"]) if ended["failure"] else None


class EpisodeJob(NamedTuple):
    """What one worker does.

    items: where finished episodes go. key: this one's folder there. bag: how to write a bag, or
    None. max_frames: stop after so many frames, successful or not (short samples), or None.
    keep_failures: record episodes that do not succeed too. disturbance: of the arms while the
    expert demonstrates, its largest deviation [rad]. whims: see `Whims`. glance: how far
    off the expert sees a thing from afar [m], see `Glances`. lead_in: before the recording, or
    None. shadows: in the images. draw_every: the cameras draw at every nth frame and hold their
    images between.
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
    whims: float = 1.0
    glance: float = 0.0
    lead_in: LeadIn | None = None
    shadows: bool = True
    draw_every: int = 1


def record_one(job: EpisodeJob) -> str:
    """Run the expert on the job's seed; gives SUCCESS, FAILED, or OVER: before it could begin.

    What is not kept leaves its outcome, no frames.
    """
    with ItemFolder(job.items, job.key) as item:
        result = _run(job, item.path)
        if not kept(result["status"], job.keep_failures):
            shutil.rmtree(item.path)
            item.path.mkdir()
        item.finish(result)
        return str(result["status"])


def demonstrate(
    env: KuavoEnv,
    episode: EpisodeDataset,
    observation: dict[str, np.ndarray],
    expert: Expert,
    disturb: Disturbance,
    draw_every: int,
    over: Callable[[], bool],
) -> tuple[dict[str, Any], str | None]:
    """Let the expert drive, and write down what it sees and wants.

    Args:
        env: drawing all cameras.
        episode: to write into.
        observation: the environment's present one.
        expert: at the controls of the environment's simulation.
        disturb: between expert and robot.
        draw_every: the cameras draw at every nth frame.
        over: asked after every frame whether that is all.

    Returns:
        The environment's last info, and why the expert stopped before the end, if it did.
    """
    images = {camera: observation[camera] for camera in topics.CAMERAS}
    info, idle, ended = env.info(), 0, False
    while not ended:
        try:
            action = expert.act()
        except OutOfReach as error:
            return info, str(error)
        idle += expert.done
        if idle > VERDICT * CONTROL_HZ:
            return info, IN_VAIN
        episode.add(Frame(observation["state"], action, images))
        env.cameras = () if episode.length % draw_every else topics.CAMERAS
        observation, _, terminated, truncated, info = env.step(disturb(action))
        images = {**images, **{camera: observation[camera] for camera in env.cameras}}
        ended = terminated or truncated or over()
    return info, None


def _nothing(job: EpisodeJob, episode: EpisodeDataset, why: str) -> dict[str, Any]:
    episode.abandon()
    return {"task": job.task, "seed": job.seed, "status": OVER, "failure": why}


def kept(status: str, keep_failures: bool) -> bool:
    """Is an episode that ended so part of the dataset?"""
    return status == SUCCESS or (status == FAILED and keep_failures)


def _run(job: EpisodeJob, folder: Path) -> dict[str, Any]:
    if job.bag is None:
        return _play(job, folder, None)
    with RobotBag(folder / BAG_FILE, job.bag.compression) as bag:
        return _play(job, folder, SimBag(bag, job.bag))


def _play(job: EpisodeJob, folder: Path, bag: SimBag | None) -> dict[str, Any]:
    env = KuavoEnv(job.task, image_size=job.image_size, shadows=job.shadows)
    sizes: ImageSizes = dict.fromkeys(topics.CAMERAS, job.image_size)
    episode = EpisodeDataset(folder, task_named(job.task), sizes)
    try:
        observation, info = env.reset(seed=job.seed)
        if job.lead_in is not None:
            over = job.lead_in(env, info, job.seed)
            if over is not None:
                return _nothing(job, episode, over)
            observation = env.observe()
        if bag is not None:
            bag(env.sim)
            env.on_substep.append(bag)
        expert = make_expert(env.sim, Whims(job.whims, job.seed))
        expert.misjudged = Glances(job.glance, np.random.default_rng([job.seed, 5]))
        disturb = Disturbance(job.disturbance, np.random.default_rng([job.seed, 2]))
        info, lost = demonstrate(
            env, episode, observation, expert, disturb, job.draw_every,
            over=lambda: episode.length == job.max_frames,
        )  # fmt: skip
        if episode.length < SHORTEST:
            return _nothing(job, episode, "next to nothing was left to demonstrate")
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
            **({} if job.draw_every == 1 else {DRAWN_EVERY: job.draw_every}),
        }
    except BaseException:
        episode.abandon()
        raise
    finally:
        env.close()
