"""Many simulated trials, in parallel, interrupted and continued at will.

The folder is the evaluation: `run.json` says what is run, `trials.jsonl` what is done. The same
call goes on where it stopped; another one is refused.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kuavo_cli.errors import UserError
from kuavo_cli.jsonio import to_plain, write_json
from kuavo_cli.progress import Progress
from kuavo_eval.simulation.candidates import Candidate, candidates
from kuavo_eval.simulation.latency import measured_latency
from kuavo_eval.simulation.settings import SimulationSettings
from kuavo_eval.simulation.trial import TrialJob, run_trial
from kuavo_eval.trials.log import TrialLog, scored
from kuavo_eval.trials.schema import Trial
from kuavo_train.data.pool import run_all
from kuavo_train.tasks import task_named

RUN_FILE = "run.json"
VIDEOS = "videos"
_FREE = ("workers", "videos", "device")
"""Settings that change nothing about a result, and may differ when a run is continued."""


def run(
    checkpoints: Mapping[str, Path | str],
    tasks: Sequence[str],
    episodes: int,
    seed: int,
    folder: Path,
    settings: SimulationSettings | None = None,
) -> list[Trial]:
    """Trials of every checkpoint in the same scenes.

    Args:
        checkpoints: label → folder, or the name of a stand-in (see `candidates.STAND_INS`).
        tasks: whatever names tasks; they need not be among those that a checkpoint was trained on.
        episodes: per checkpoint and task.
        seed: of the first; episode i has seed + i.
        folder: made if it is not there; an interrupted run is continued. Void trials are repeated.
        settings: see there.

    Returns:
        All attempts in the folder's log, oldest first.

    Raises:
        UserError: the folder holds something else, or another run; a checkpoint is missing,
            damaged, or another robot's.
    """
    settings = settings or SimulationSettings()
    tested = candidates(checkpoints)
    names = [task_named(task).name for task in tasks]
    latencies = _open(folder, tested, names, episodes, seed, settings)
    threads = max(1, (os.cpu_count() or 1) // settings.workers)
    with TrialLog(folder) as log:
        attempts = Counter(trial.key for trial in log.trials)
        done = {trial.key for trial in scored(log.trials)}
        jobs = [
            TrialJob(candidate, task, seed + i, settings, latencies[candidate.label],
                     threads=threads)
            for i in range(episodes) for task in names for candidate in tested
        ]  # fmt: skip
        open_jobs = [
            job._replace(attempt=attempts[key] + 1)
            for job in jobs
            if (key := (job.candidate.label, job.trial)) not in done
        ]
        _run_jobs(log, open_jobs, len(jobs), settings.workers)
        _film_failures(log, jobs, folder / VIDEOS, settings)
        return list(log.trials)


def read_run(folder: Path) -> dict[str, Any]:
    """What a folder's `run.json` says; empty where there is none."""
    file = folder / RUN_FILE
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is damaged: {error}") from error
    return dict(content)


def _open(
    folder: Path,
    tested: Sequence[Candidate],
    tasks: Sequence[str],
    episodes: int,
    seed: int,
    settings: SimulationSettings,
) -> dict[str, float]:
    """Make or enter the folder; each candidate's latency [s]."""
    job = to_plain(
        {
            "kind": "simulation",
            "checkpoints": {
                c.label: {"path": c.checkpoint, "stand_in": c.stand_in, "sha256": c.sha256}
                for c in tested
            },
            "tasks": list(tasks),
            "episodes": episodes,
            "seed": seed,
            "settings": asdict(settings),
        }
    )
    found = read_run(folder)
    if found:
        _check_same(folder, found, job)
        return {label: float(latency) for label, latency in found["latency"].items()}
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty and holds no run: choose another --out")
    latencies = {c.label: measured_latency(c, settings) for c in tested}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RUN_FILE, {**job, "latency": latencies})
    return latencies


def _check_same(folder: Path, found: Mapping[str, Any], job: Mapping[str, Any]) -> None:
    def essential(of: Mapping[str, Any]) -> dict[str, Any]:
        settings = {k: v for k, v in of.get("settings", {}).items() if k not in _FREE}
        paths = {
            label: {k: v for k, v in one.items() if k != "path"}
            for label, one in of.get("checkpoints", {}).items()
        }
        content = {k: v for k, v in of.items() if k != "latency"}
        return {**content, "settings": settings, "checkpoints": paths}

    then, now = essential(found), essential(job)
    changed = [
        f"{key}: {then.get(key)!r} then, {now.get(key)!r} now"
        for key in sorted({*then, *now})
        if then.get(key) != now.get(key)
    ]
    if changed:
        raise UserError(
            f"{folder} holds another run ({'; '.join(changed)}): repeat that one to continue it, "
            "or choose another --out"
        )


def _run_jobs(log: TrialLog, jobs: Sequence[TrialJob], total: int, workers: int) -> None:
    with Progress("trying", total, unit="trials") as progress:
        progress.advance(total - len(jobs))
        for job, trial in run_all(run_trial, jobs, workers):
            log.append(trial)
            verdict = "void" if trial.void else "success" if trial.success else trial.failure
            progress.advance(note=f"{job.candidate.label} {job.trial}: {verdict}")


def _film_failures(
    log: TrialLog, jobs: Sequence[TrialJob], videos: Path, settings: SimulationSettings
) -> None:
    """Run the first failures again, in front of a camera; a run that ended otherwise goes."""
    if not settings.videos:
        return
    failed = {trial.key: trial for trial in scored(log.trials) if not trial.success}
    filmed: Counter[tuple[str, str]] = Counter()
    takes = []
    for job in jobs:
        trial = failed.get((job.candidate.label, job.trial))
        group = job.candidate.label, job.task
        if trial is None or filmed[group] >= settings.videos:
            continue
        filmed[group] += 1
        path = film_of(videos, trial)
        if not path.exists():
            takes.append(job._replace(film=path))
    if not takes:
        return
    videos.mkdir(exist_ok=True)
    for leftover in videos.glob("*.part"):
        leftover.unlink()
    with Progress("filming failures", len(takes), unit="trials") as progress:
        for job, again in run_all(run_trial, takes, settings.workers):
            original = failed[job.candidate.label, job.trial]
            assert job.film is not None
            if _ended(again) != _ended(original):
                job.film.unlink()
            progress.advance(note=job.film.name)


def film_of(videos: Path, trial: Trial) -> Path:
    """Where the film of a trial is, if there is one."""
    return videos / f"{trial.checkpoint}_{trial.trial}.mp4"


def _ended(trial: Trial) -> Trial:
    """Without what differs between two runs of the same thing."""
    return replace(trial, began="", attempt=1)
