"""Records expert demonstrations: a LeRobot dataset and, if wanted, ROS bags.

Episode i uses seed + i. Seeds on which the expert fails give no episode, so recording goes on
with the next seed until there are as many successes as asked for; the dataset holds the first of
them in the order of their seeds, whatever the number of workers.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
from pathlib import Path
from typing import Any

from kuavo_cli.errors import UserError
from kuavo_cli.progress import Progress
from kuavo_sim.recording.episodes import (
    BAG_FILE,
    OVER,
    SUCCESS,
    EpisodeJob,
    LeadIn,
    kept,
    record_one,
)
from kuavo_sim.recording.sim_bag import BagOptions
from kuavo_train.data.assemble import assemble
from kuavo_train.data.features import FPS
from kuavo_train.data.metadata import DRAWN_EVERY, read_about, read_episodes
from kuavo_train.data.pool import run_all
from kuavo_train.data.workspace import Workspace
from kuavo_train.tasks import task_named

PATIENCE = 20
"""So many failures more than successes, and the expert is broken."""


def record(
    task: str,
    episodes: int,
    seed: int,
    out: Path | str,
    bags: Path | str | None = None,
    image_size: tuple[int, int] = (480, 640),
    workers: int = 2,
    bag_options: BagOptions | None = None,
    max_frames: int | None = None,
    keep_failures: bool = False,
    disturbance: float = 0.0,
    whims: float = 1.0,
    glance: float = 0.0,
    lead_in: LeadIn | None = None,
    shadows: bool = True,
    draw_every: int = 1,
) -> dict[str, Any]:
    """Record `episodes` demonstrations of `task` into the dataset `out`.

    Args:
        task: anything that names a task.
        episodes: how many successful ones.
        seed: the first seed.
        out: the dataset's folder; must not exist. An interrupted recording is continued.
        bags: a folder for one bag per episode; its bags must not exist.
        image_size: height and width of the cameras' images [px].
        workers: processes.
        bag_options: rates and sizes of the bags; the robot's by default.
        max_frames: cut episodes to so many frames.
        keep_failures: record failed episodes too.
        disturbance: push the arms off the expert's path by offsets of up to this deviation [rad],
            and the base's stands with them; recorded is what the expert wanted.
        whims: how much of the expert's variation is used, 0…1 (see `Whims`).
        glance: how far off the expert sees a thing from afar [m] (see `Glances`).
        lead_in: drives before the expert takes over; recorded is the expert's part alone.
        shadows: in the images; without, recording takes half the time.
        draw_every: the cameras draw at every nth frame and hold their images between; training
            begins its chunks at drawn frames alone.

    Returns:
        The report: episodes, frames, failed seeds with reasons, paths.

    Raises:
        UserError: `out` or a bag exists, or the expert fails too often.
    """
    name = task_named(task).name
    options = None if bags is None else bag_options or BagOptions(image_size=image_size)
    job = {
        "kind": "record",
        "task": name,
        "instruction": task_named(name).instruction,
        "fps": FPS,
        "episodes": episodes,
        "seed": seed,
        "image_size": image_size,
        "bags": None if bags is None else os.path.abspath(bags),
        "bag_options": options and dataclasses.asdict(options),
        "max_frames": max_frames,
        "keep_failures": keep_failures,
        "disturbance": disturbance,
        "whims": whims,
        **({"glance": glance} if glance else {}),
        **({} if lead_in is None else {"lead_in": lead_in.describe()}),
        **({} if shadows else {"shadows": False}),
        **({} if draw_every == 1 else {DRAWN_EVERY: draw_every}),
    }
    workspace = Workspace(Path(out), job)
    if workspace.complete:
        workspace.remove()
        return _report(workspace, Path(bags) if bags else None)
    with workspace:
        template = EpisodeJob(
            workspace.items,
            "",
            name,
            seed,
            image_size,
            options,
            max_frames=max_frames,
            keep_failures=keep_failures,
            disturbance=disturbance,
            whims=whims,
            glance=glance,
            lead_in=lead_in,
            shadows=shadows,
            draw_every=draw_every,
        )
        recording = _Recording(workspace, template, episodes)
        recording.run(workers)
        keys = recording.chosen()
        if bags is not None:
            _publish_bags(workspace, keys, name, Path(bags))
        about = {"source": "simulation", "failed_seeds": recording.failures()}
        assemble(workspace, task_named(name), keys, about)
    return _report(workspace, Path(bags) if bags else None)


class _Recording:
    """Which seeds are done, which come next, which make the dataset; an iterator over jobs.

    As an iterator it stops while enough is recorded or under way, and goes on when a seed failed.
    """

    def __init__(self, workspace: Workspace, template: EpisodeJob, episodes: int) -> None:
        self._workspace, self._template = workspace, template
        self._episodes, self._first = episodes, template.seed
        self._status: dict[int, str] = {}
        self._given: set[int] = set()
        for folder in workspace.items.iterdir():
            result = workspace.result(folder.name)
            if result is not None:
                self._status[int(folder.name)] = result["status"]

    def run(self, workers: int) -> None:
        """Record until there are enough.

        Raises:
            UserError: nearly every seed fails.
        """
        with Progress("recording", self._episodes, unit="episodes") as progress:
            progress.advance(min(len(self._good()), self._episodes))
            for job, status in run_all(record_one, self, workers):
                self._status[job.seed] = status
                progress.advance(int(self._counts(status)), note=f"seed {job.seed}: {status}")

    def __iter__(self) -> _Recording:
        return self

    def __next__(self) -> EpisodeJob:
        known = self._given | set(self._status)
        seed = next(s for s in itertools.count(self._first) if s not in known)
        under_way = len(self._given - set(self._status))
        hole = seed < max(known, default=self._first)
        if not hole and len(self._good()) + under_way >= self._episodes:
            raise StopIteration
        failures = sum(status != OVER for status in self._status.values()) - len(self._good())
        if failures > len(self._good()) + PATIENCE:
            raise UserError(
                f"the expert of {self._template.task} failed on {failures} of "
                f"{len(self._status)} seeds: see {self._workspace.items}"
            )
        self._given.add(seed)
        return self._template._replace(seed=seed, key=_key(seed))

    def chosen(self) -> list[str]:
        """The keys of the dataset's episodes, by seed."""
        return [_key(seed) for seed in sorted(self._good())[: self._episodes]]

    def failures(self) -> dict[str, str]:
        """Seed → reason, of the failed seeds among those that were needed."""
        last = int(self.chosen()[-1])
        return {
            str(seed): (self._workspace.result(_key(seed)) or {}).get("failure", "")
            for seed, status in sorted(self._status.items())
            if seed <= last and status != SUCCESS
        }

    def _good(self) -> list[int]:
        return [seed for seed, status in self._status.items() if self._counts(status)]

    def _counts(self, status: str) -> bool:
        return kept(status, self._template.keep_failures)


def _key(seed: int) -> str:
    return f"{seed:09d}"


def _publish_bags(workspace: Workspace, keys: list[str], task: str, folder: Path) -> None:
    """Move the bags out of the workspace, under the names of their tasks and seeds.

    Raises:
        UserError: another bag is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for key in keys:
        bag, target = workspace.items / key / BAG_FILE, folder / _bag_name(task, int(key))
        if not bag.exists() and target.exists():
            continue  # moved before an interruption
        if target.exists():
            raise UserError(f"{target} exists: choose another --bags, nothing is overwritten")
        shutil.move(bag, target.with_suffix(".moving"))
        os.rename(target.with_suffix(".moving"), target)


def _bag_name(task: str, seed: int) -> str:
    return f"{task}_seed{seed:06d}.bag"


def _report(workspace: Workspace, bags: Path | None) -> dict[str, Any]:
    episodes = read_episodes(workspace.out)
    about = read_about(workspace.out)
    return {
        "out": str(workspace.out),
        "task": about["task_name"],
        "episodes": len(episodes),
        "frames": sum(episode["length"] for episode in episodes),
        "seeds": [episode["seed"] for episode in episodes],
        "failed_seeds": about["failed_seeds"],
        "bags": None
        if bags is None
        else [str(bags / _bag_name(about["task_name"], e["seed"])) for e in episodes],
    }
