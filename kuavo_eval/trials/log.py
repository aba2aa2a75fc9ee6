"""`trials.jsonl`: one line per attempt, on the disk before the next begins.

A crash may tear the last line; it is not a record then, and the next record takes its place. A
damaged line anywhere else is an error: nothing is dropped silently.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO

from kuavo_cli.errors import UserError
from kuavo_eval.trials.schema import Trial, TrialError

FILE = "trials.jsonl"


class TrialLog:
    """Appends trials to a folder's log; one process at a time.

    with TrialLog(folder) as log:
        log.append(trial)

    Args:
        folder: must exist.

    Attributes:
        trials: everything in the log, oldest first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.trials: list[Trial] = []
        self._file: IO[bytes] | None = None

    def __enter__(self) -> TrialLog:
        """Open it, or make it.

        Raises:
            UserError: another process has it, or it is damaged.
        """
        path = self._folder / FILE
        self._file = open(path, "ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise UserError(f"another process is running trials in {self._folder}") from error
        try:
            self.trials = _read(path)
            # a torn last line is no record: the next one starts where it did
            self._file.truncate(path.read_bytes().rfind(b"\n") + 1)
        except BaseException:
            self._file.close()
            raise
        return self

    def append(self, trial: Trial) -> None:
        """Write a trial; it is on the disk when this returns."""
        if self._file is None:
            raise RuntimeError("the log is not open")
        line = json.dumps(trial.as_dict(), ensure_ascii=False, allow_nan=False) + "\n"
        self._file.write(line.encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self.trials.append(trial)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of it."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_trials(folder: Path) -> list[Trial]:
    """All attempts of a folder, oldest first.

    Raises:
        UserError: no trials there, or the log is damaged; names the line.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise UserError(f"no trials in {folder}: there is no {FILE}")
    return _read(path)


def scored(trials: Iterable[Trial]) -> list[Trial]:
    """The attempts that count: of each checkpoint's trial the first that is not void.

    A later one never replaces a verdict: whoever repeats failures until they succeed measures
    patience.
    """
    counting: dict[tuple[str, str], Trial] = {}
    for trial in trials:
        if trial.scored:
            counting.setdefault(trial.key, trial)
    return list(counting.values())


def _read(path: Path) -> list[Trial]:
    content = path.read_bytes()
    lines = content[: content.rfind(b"\n") + 1].splitlines()
    trials = []
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            if not isinstance(fields, dict):
                raise TrialError("not a trial")
            trials.append(Trial.from_dict(fields))
        except ValueError as error:
            raise UserError(f"{path}, line {number} is damaged: {error}") from error
    return trials
