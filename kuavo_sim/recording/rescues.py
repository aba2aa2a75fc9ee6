"""Where a policy fails, an expert shows what it should have done: DAgger, from snapshots.

A policy drives a scene. When it is stuck, stopped, or has failed for good, the simulation goes
back to moments of the part that went wrong, since the task's last new stage, and from each the
expert shows a few seconds of the way out; from one of them it goes on until the next stage, where
the policy gets another chance. So demonstrations begin where the policy's own errors lead, and
nowhere else (Ross et al. 2011, DAgger; Kelly et al. 2019, HG-DAgger), and what it takes to get
there, most of the computing, is paid once for all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from kuavo_cli.errors import UserError
from kuavo_cli.progress import Progress
from kuavo_deploy.robot import topics
from kuavo_sim.env import CONTROL_HZ, KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.base import Expert, OutOfReach
from kuavo_sim.experts.whims import Whims
from kuavo_sim.recording.disturbance import Disturbance
from kuavo_sim.recording.episodes import demonstrate
from kuavo_sim.simulation import Snapshot
from kuavo_sim.trials import TIME_UP, play
from kuavo_train.data.assemble import assemble
from kuavo_train.data.episode import EpisodeDataset
from kuavo_train.data.features import FPS
from kuavo_train.data.metadata import DRAWN_EVERY, read_about, read_episodes
from kuavo_train.data.pool import run_all
from kuavo_train.data.workspace import ItemFolder, Workspace
from kuavo_train.tasks import task_named

CHANCES = 6
"""So often a policy drives in one scene."""
PATIENCE = 7.0
"""So long without a new stage, and a policy is stuck; twice as long before the first one, which
may have to come along a belt [s]."""
STUCK = "stuck"
EVERY = 0.4
"""Between moments to come back to [s]."""
TOO_LATE = 0.8
"""So shortly before a failure for good nothing can be done about it [s]."""
LONGEST = 14.0
"""So long the expert may take to the next stage [s]."""
SHORTEST = 6
"""Frames that are worth an episode."""
AT_REST = 0.1
"""Slower than this arms and base must be for a policy to take over [rad/s, m/s]."""
_LONGEST_REST = 1.0
_LOOKING_AROUND = 12
"""Periods that an expert may hold still before it does something."""
_UNDER_WAY = 2
"""Periods of its first motion that an expert has behind it when a rescue begins: every motion
begins from rest, and a policy that saw nothing but beginnings would hardly move."""
_STILL = 2e-3
"""Commands that differ by less are the same [rad, closure]."""


class Learner(Protocol):
    """A policy that shall learn from its failures."""

    @property
    def command_hz(self) -> int:
        """How often it acts."""
        ...

    def drive(self, env: KuavoEnv, seed: int) -> Callable[[], np.ndarray]:
        """Take over; gives what is to be called for each command, which may raise `GivesUp`."""
        ...

    def describe(self) -> dict[str, Any]:
        """All that decides its course, as JSON values."""
        ...


class Rescues(NamedTuple):
    """How rescues are recorded.

    image_size: height and width of the cameras' images [px]. seconds: what the expert shows from
    a moment. moments: of each failure. disturbance, whims, shadows, draw_every: see
    `kuavo_sim.recording.record.record`.
    """

    image_size: tuple[int, int] = (480, 640)
    seconds: float = 2.7
    moments: int = 10
    disturbance: float = 0.0
    whims: float = 1.0
    shadows: bool = True
    draw_every: int = 1


class RescueJob(NamedTuple):
    """What one worker does with one seed. items: where finished episodes go."""

    items: Path
    task: str
    seed: int
    learner: Learner
    how: Rescues


def rescue(
    task: str,
    learner: Learner,
    scenes: int,
    seed: int,
    out: Path | str,
    how: Rescues,
    workers: int = 1,
) -> dict[str, Any]:
    """Let a policy drive in many scenes, and record the rescues into the dataset `out`.

    Args:
        task: anything that names a task.
        learner: drives until it fails.
        scenes: how many; scene i has the seed `seed` + i.
        seed: the first one.
        out: the dataset's folder; must not exist. An interrupted recording is continued.
        how: rescues are recorded.
        workers: processes.

    Returns:
        The report: scenes, in how many the policy did the task alone, its failures, episodes.

    Raises:
        UserError: `out` exists, or there was nothing to rescue.
    """
    name = task_named(task).name
    job = {
        "kind": "rescue",
        "task": name,
        "instruction": task_named(name).instruction,
        "fps": FPS,
        "scenes": scenes,
        "seed": seed,
        "learner": learner.describe(),
        **how._asdict(),
    }
    workspace = Workspace(Path(out), job)
    if workspace.complete:
        workspace.remove()
        return _report(workspace)
    with workspace:
        seeds = range(seed, seed + scenes)
        missing = [s for s in seeds if workspace.result(_scene_key(s)) is None]
        jobs = [RescueJob(workspace.items, name, s, learner, how) for s in missing]
        with Progress("rescuing", scenes, unit="scenes") as progress:
            progress.advance(scenes - len(missing))
            for done, failures in run_all(rescue_one, jobs, workers):
                progress.advance(note=f"seed {done.seed}: {'; '.join(failures) or 'success'}")
        found = {s: workspace.result(_scene_key(s)) or {} for s in seeds}
        keys = [_key(s, n) for s, result in found.items() for n in range(result["rescues"])]
        if not keys:
            raise UserError(f"nothing to rescue: {task} was done in all {scenes} scenes")
        about = {
            "source": "simulation",
            "scenes": scenes,
            "alone": sum(not result["failures"] for result in found.values()),
            "failures": {str(s): r["failures"] for s, r in found.items() if r["failures"]},
        }
        assemble(workspace, task_named(name), keys, about)
    return _report(workspace)


def _report(workspace: Workspace) -> dict[str, Any]:
    episodes = read_episodes(workspace.out)
    about = read_about(workspace.out)
    return {
        "out": str(workspace.out),
        "task": about["task_name"],
        "scenes": about["scenes"],
        "alone": about["alone"],
        "failures": about["failures"],
        "episodes": len(episodes),
        "frames": sum(episode["length"] for episode in episodes),
    }


def _scene_key(seed: int) -> str:
    return f"{seed:09d}"


def _key(seed: int, number: int) -> str:
    return f"{_scene_key(seed)}_{number:03d}"


def rescue_one(job: RescueJob) -> list[str]:
    """Let the policy drive one scene, record its rescues; gives what went wrong, in order."""
    for leftover in job.items.glob(f"{_scene_key(job.seed)}_*"):
        shutil.rmtree(leftover)  # of an interrupted run
    env = KuavoEnv(job.task, image_size=job.how.image_size, shadows=job.how.shadows)
    try:
        env.reset(seed=job.seed)
        scene, failures = _Scene(job, env), []
        for chance in range(CHANCES):
            failure = scene.let_learner_drive(chance)
            if failure is None:
                break
            failures.append(f"{failure} (after {env.sim.progress.stage})")
            helped = scene.rescue(for_good=failure == TIME_UP or bool(env.sim.progress.failure))
            if not helped or env.sim.progress.success:
                break
        with ItemFolder(job.items, _scene_key(job.seed)) as item:
            item.finish({"seed": job.seed, "rescues": scene.count, "failures": failures})
        return failures
    finally:
        env.close()


class _Scene:
    """One seed's episode, with its rescues.

    Attributes:
        count: rescues recorded so far.
    """

    def __init__(self, job: RescueJob, env: KuavoEnv) -> None:
        self._job, self._env = job, env
        self._rng = np.random.default_rng([job.seed, 7])
        self._past: list[Snapshot] = []
        self.count = 0

    def let_learner_drive(self, chance: int) -> str | None:
        """Until success (None) or failure (why); keeps the moments since the last new stage."""
        env, job = self._env, self._job
        if chance:
            self._come_to_rest()
        env.cameras, env.control_hz = (), job.learner.command_hz
        known = len(env.sim.progress.stages)
        patience = PATIENCE if known else 2 * PATIENCE
        self._past = [env.sim.snapshot()]

        def over() -> str | None:
            nonlocal known, patience
            if len(env.sim.progress.stages) > known:
                known, patience = len(env.sim.progress.stages), PATIENCE
                self._past = [env.sim.snapshot()]
            elif env.sim.time - self._past[-1].data.time >= EVERY:
                self._past.append(env.sim.snapshot())
            return STUCK if env.sim.time - self._past[0].data.time >= patience else None

        return play(env, env.info(), job.learner.drive(env, job.seed), over).failure

    def _come_to_rest(self) -> None:
        sim = self._env.sim
        for _ in range(round(_LONGEST_REST / sim.timestep)):
            speeds = np.abs([*sim.robot.arm_velocities, *sim.robot.base_velocity])
            if speeds.max() < AT_REST and not sim.robot.walking:
                return
            sim.step()

    def rescue(self, for_good: bool) -> bool:
        """Record from some of the moments; did the last of them get to the next stage?

        for_good: there is no going on from where the policy has got to.
        """
        self._env.control_hz = CONTROL_HZ
        latest = self._env.sim.time - (TOO_LATE if for_good else 0.0)
        past = [moment for moment in self._past if moment.data.time <= latest]
        count = min(self._job.how.moments, len(past))
        if not count:
            return False
        chosen = [past[i] for i in sorted(self._rng.choice(len(past), count, replace=False))]
        last = chosen.pop(0 if for_good else -1)
        for moment in chosen:
            self._record(moment, to_next_stage=False)
        return self._record(last, to_next_stage=True)

    def _record(self, moment: Snapshot, to_next_stage: bool) -> bool:
        job, env, how = self._job, self._env, self._job.how
        env.resume(moment)
        env.cameras = topics.CAMERAS
        drawn = [job.seed, 8, self.count]
        expert = make_expert(env.sim, Whims(how.whims, drawn))
        if not _under_way(expert):
            return False
        disturb = Disturbance(how.disturbance, np.random.default_rng([*drawn, 2]))
        stages, began = len(env.sim.progress.stages), env.sim.time

        def over() -> bool:
            if episode.length < round(how.seconds * CONTROL_HZ):
                return False
            reached = len(env.sim.progress.stages) > stages
            return not to_next_stage or reached or env.sim.time >= began + LONGEST

        with ItemFolder(job.items, _key(job.seed, self.count)) as item:
            sizes = dict.fromkeys(topics.CAMERAS, how.image_size)
            episode = EpisodeDataset(item.path, task_named(job.task), sizes)
            try:
                info, lost = demonstrate(
                    env, episode, env.observe(), expert, disturb, how.draw_every, over
                )
                helped = len(env.sim.progress.stages) > stages and info["failure"] is None
                vain = (info["failure"] or lost) and not helped
                if vain or episode.length < SHORTEST:
                    episode.abandon()
                    return False
                item.finish(
                    {
                        "task": job.task,
                        "seed": job.seed,
                        "moment": round(began, 3),
                        "success": bool(info["success"]),
                        "stages": info["stages"],
                        **episode.finish(),
                        **({} if how.draw_every == 1 else {DRAWN_EVERY: how.draw_every}),
                    }
                )
            except BaseException:
                episode.abandon()
                raise
        self.count += 1
        return helped


def _under_way(expert: Expert) -> bool:
    """Get an expert that has just come past looking around, in no time; False: it does nothing."""
    before = expert.action()
    try:
        for _ in range(_LOOKING_AROUND):
            if np.abs(expert.act() - before).max() > _STILL:
                break
        else:
            return False  # who only waits shows no way out
        for _ in range(_UNDER_WAY):
            expert.act()
    except OutOfReach:
        return False
    return not expert.done
