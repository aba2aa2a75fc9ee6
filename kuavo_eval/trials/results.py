"""What a folder of trials leaves to read: `scores.json`, `trials.parquet`, `report.html`.

They are derived from `trials.jsonl` and written anew each time; the log itself is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kuavo_eval.folder import TRIALS, write_scores
from kuavo_eval.trials.report import report
from kuavo_eval.trials.schema import Trial
from kuavo_eval.trials.summary import answer, summarize
from kuavo_eval.trials.table import write_table


def write_results(
    folder: Path, trials: Sequence[Trial], about: Mapping[str, Any], videos: Mapping[str, str]
) -> dict[str, Any]:
    """Write all three.

    Args:
        folder: of the trials.
        trials: all attempts.
        about: what was run: `provenance`, and what the report shows of the conditions.
        videos: caption → path of a film, relative to the folder.

    Returns:
        The document.
    """
    summary = summarize(trials)
    content = {
        "source": trials[0].source if trials else "",
        **about,
        "answer": answer(summary),
        **summary,
        "trials": [_line(trial) for trial in trials],
        "videos": [{"caption": caption, "file": file} for caption, file in videos.items()],
    }
    write_table(trials, folder)
    return write_scores(folder, TRIALS, content, report)


def _line(trial: Trial) -> dict[str, Any]:
    """What the report's list of trials shows."""
    return {
        "trial": trial.trial,
        "attempt": trial.attempt,
        "checkpoint": trial.checkpoint,
        "task": trial.task,
        "start": trial.start,
        "result": "void" if trial.void else "success" if trial.success else "failure",
        "stage": trial.stage,
        "duration": {"value": trial.duration, "unit": "s"},
        "why": trial.void or trial.failure or "",
        "note": trial.note,
    }
