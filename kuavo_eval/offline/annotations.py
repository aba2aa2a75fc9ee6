"""Files that a person edits: critical intervals by episode, other wordings of instructions.

weighing:
- episode: episode 3
sha256: 3cf40086…            # of states and actions: the same wherever the dataset lies
intervals:
- {start: 6.0, end: 7.1, label: right hand closes}     # seconds since the episode's start
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kuavo_cli.errors import UserError
from kuavo_eval.metrics.critical_intervals import Interval, seeded_intervals
from kuavo_eval.offline.episodes import FPS, Recording
from kuavo_train.tasks import TaskRegistry
from kuavo_train.tasks.registry import configs_root

PARAPHRASES = Path("eval/paraphrases.yaml")
_HEAD = """\
# Critical intervals, seeded from the hands' signal: correct them where it does not show what
# matters, then score with --intervals. Seconds since the episode's start.
"""


def write_intervals(recordings: Sequence[Recording], file: Path) -> int:
    """Seed a file with intervals around all hand events; gives the number of episodes.

    Raises:
        UserError: the file exists: somebody may have edited it.
    """
    if file.exists():
        raise UserError(f"{file} exists: choose another file, nothing is overwritten")
    content = {
        recording.task.name: [
            {
                "episode": episode.name,
                "sha256": episode.key,
                "intervals": [
                    {"start": round(i.start, 2), "end": round(i.end, 2), "label": i.label}
                    for i in seeded_intervals(episode.actions, FPS)
                ],
            }
            for episode in recording.episodes
        ]
        for recording in recordings
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    with open(file, "x", encoding="utf-8") as stream:
        stream.write(_HEAD + text)
    return sum(len(entries) for entries in content.values())


def read_intervals(file: Path) -> dict[str, tuple[Interval, ...]]:
    """The intervals of each episode, by its hash.

    Raises:
        UserError: unreadable, or an interval that is none (its episode is named).
    """
    found: dict[str, tuple[Interval, ...]] = {}
    for entries in _mapping(file).values():
        for entry in entries or ():
            try:
                found[str(entry["sha256"])] = tuple(map(_interval, entry["intervals"] or ()))
            except (KeyError, TypeError, ValueError) as error:
                name = entry.get("episode", "?") if isinstance(entry, dict) else entry
                raise UserError(f"{file}, {name}: {error!r}: not an interval") from error
    return found


def read_paraphrases(
    registry: TaskRegistry, file: Path | None = None
) -> dict[str, tuple[str, ...]]:
    """Other wordings by task name; default: `configs/eval/paraphrases.yaml`.

    Raises:
        UserError: unreadable, or an unknown task.
    """
    file = file or configs_root() / PARAPHRASES
    content = _mapping(file)
    unknown = [name for name in content if name not in registry]
    if unknown:
        raise UserError(f"{file}: unknown task {unknown[0]!r}: choose from {', '.join(registry)}")
    return {name: tuple(str(text) for text in texts or ()) for name, texts in content.items()}


def _interval(entry: Mapping[str, Any]) -> Interval:
    start, end = float(entry["start"]), float(entry["end"])
    if not 0 <= start <= end:
        raise ValueError(f"from {start} to {end} s")
    return Interval(start, end, str(entry.get("label", "")))


def _mapping(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict) or not all(
        value is None or isinstance(value, list) for value in content.values()
    ):
        raise UserError(f"{file}: expected a list under each task's name")
    return content
