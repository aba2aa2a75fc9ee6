"""What a simulated run leaves to read, with the conditions that it was run under."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kuavo_eval.provenance import provenance
from kuavo_eval.simulation.run import VIDEOS, film_of, read_run
from kuavo_eval.trials.log import scored
from kuavo_eval.trials.results import write_results
from kuavo_eval.trials.schema import Trial


def write_run_results(
    folder: Path, trials: Sequence[Trial], command: Sequence[str]
) -> dict[str, Any]:
    """`scores.json`, `trials.parquet` and `report.html` of a folder that `run` has filled."""
    about = read_run(folder)
    checkpoints = {label: one["path"] for label, one in about["checkpoints"].items() if one["path"]}
    films = {
        f"{trial.checkpoint}, {trial.trial}: {trial.failure}": str(film.relative_to(folder))
        for trial in scored(trials)
        if (film := film_of(folder / VIDEOS, trial)).exists()
    }
    content = {
        "provenance": provenance(command, about["seed"], checkpoints),
        "conditions": _conditions(about),
        "run": about,
    }
    return write_results(folder, _in_order(trials, about), content, films)


def _in_order(trials: Sequence[Trial], about: dict[str, Any]) -> list[Trial]:
    """As it was asked for; parallel trials end in any order."""
    labels, tasks = list(about["checkpoints"]), about["tasks"]
    return sorted(
        trials,
        key=lambda t: (labels.index(t.checkpoint), tasks.index(t.task), t.seed, t.attempt),
    )


def _conditions(about: dict[str, Any]) -> list[dict[str, Any]]:
    settings = about["settings"]
    height, width = settings["image_size"]
    conditions: list[dict[str, Any]] = [
        {"what": "trials per task", "value": about["episodes"]},
        {
            "what": "scenes",
            "value": f"seeds {about['seed']} to {about['seed'] + about['episodes'] - 1}",
        },
        *(
            {"what": f"latency of inference, {label}", "value": {"value": value, "unit": "s"}}
            for label, value in about["latency"].items()
        ),
        {
            "what": "time limit of a trial",
            "value": "the scene's"
            if settings["time_limit"] is None
            else {"value": settings["time_limit"], "unit": "s"},
        },
        {"what": "how chunks continue each other", "value": settings["continuation"]},
        {"what": "noise that chunks start from", "value": settings["noise"]},
        {
            "what": "camera images",
            "value": f"{width} × {height} px, JPEG"
            + ("" if settings.get("shadows", True) else ", no shadows"),
        },
    ]  # fmt: skip
    if settings["switch_at"] is not None:
        conditions.append(
            {"what": "instruction switched after",
             "value": {"value": settings["switch_at"], "unit": "s"}}
        )  # fmt: skip
    return conditions
