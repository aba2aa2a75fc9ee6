"""The folder in which a dataset grows: `NAME.partial/` beside `NAME/`, renamed when complete.

- `job.json`: what is being made; another job may not continue here.
- `lock`: held while a process works here.
- `items/KEY/`: one finished item each (renamed into place): `result.json` and a dataset.
- `dataset/`: the assembled dataset, rebuilt from the items if interrupted.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from kuavo_cli.errors import UserError
from kuavo_cli.jsonio import read_object, to_plain

JOB_FILE = "meta/kuavo_job.json"
RESULT_FILE = "result.json"


class Workspace:
    """Opens, continues and completes the making of `out` (see the module's docstring).

    Args:
        out: where the finished dataset shall be.
        job: everything that decides the content; JSON values only.
    """

    def __init__(self, out: Path, job: Mapping[str, Any]) -> None:
        self.out = Path(os.path.abspath(out))
        self.job = json.loads(json.dumps(to_plain(dict(job))))
        self.folder = self.out.with_name(self.out.name + ".partial")
        self.items = self.folder / "items"
        self.dataset = self.folder / "dataset"
        self._lock: IO[str] | None = None

    @property
    def complete(self) -> bool:
        """Whether `out` is already there, made by this very job."""
        return read_object(self.out / JOB_FILE) == self.job

    def __enter__(self) -> Workspace:
        """Make the folder or continue in it.

        Raises:
            UserError: `out` exists, or another job or process has the folder.
        """
        if self.out.exists():
            raise UserError(f"{self.out} exists: choose another --out, nothing is overwritten")
        self.items.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        self._check_job()
        for leftover in self.items.glob(".*"):
            shutil.rmtree(leftover)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the folder; what is finished in it stays for the next run."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def result(self, key: str) -> dict[str, Any] | None:
        """What is noted about the item `key`; None if it is not finished."""
        return read_object(self.items / key / RESULT_FILE)

    def complete_with(self, notes: Mapping[str, str]) -> None:
        """Turn `dataset/` into `out` in one step, with `notes` (path → text) written into it."""
        for path, text in {JOB_FILE: _dumped(self.job), **notes}.items():
            file = self.dataset / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        _sync_tree(self.dataset)
        os.rename(self.dataset, self.out)
        _sync(self.out.parent)
        self.remove()

    def remove(self) -> None:
        """Delete the workspace."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _take_lock(self) -> None:
        lock = open(self.folder / "lock", "w")  # noqa: SIM115 - held until __exit__
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise UserError(f"another process is working on {self.out}") from error
        self._lock = lock

    def _check_job(self) -> None:
        file = self.folder / "job.json"
        found = read_object(file)
        if found is None:
            write_atomically(file, _dumped(self.job))
        elif found != self.job:
            changed = ", ".join(
                f"{key}: {found.get(key)!r} then, {self.job.get(key)!r} now"
                for key in sorted({*found, *self.job})
                if found.get(key) != self.job.get(key)
            )
            raise UserError(
                f"{self.folder} holds an interrupted run with other settings ({changed}): "
                "repeat those to continue it, or delete it to start anew"
            )


class ItemFolder:
    """A folder that appears under its name only when it is complete.

    with ItemFolder(workspace.items, "000003") as item:
        ...                       # write into item.path
        item.finish({"seed": 3})  # without it, nothing stays
    """

    def __init__(self, parent: Path, key: str) -> None:
        self._final = parent / key
        self.path = parent / f".{key}.{os.getpid()}"
        self._finished = False

    def __enter__(self) -> ItemFolder:
        """Make the hidden folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()
        return self

    def finish(self, result: Mapping[str, Any]) -> None:
        """Everything is written; `result` is what `Workspace.result` gives back."""
        write_atomically(self.path / RESULT_FILE, _dumped(result))
        _sync_tree(self.path)
        os.rename(self.path, self._final)
        _sync(self._final.parent)
        self._finished = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Delete the folder unless it is finished."""
        if not self._finished:
            shutil.rmtree(self.path, ignore_errors=True)


def write_atomically(file: Path, text: str) -> None:
    """Write `text` to `file` in one step."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with open(beside, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(beside, file)


def _dumped(content: Any) -> str:
    return json.dumps(to_plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_tree(folder: Path) -> None:
    """To the disk before the rename, so that a power cut leaves no empty files behind it."""
    for path in folder.rglob("*"):
        if path.is_file():
            _sync(path)
