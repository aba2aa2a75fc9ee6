"""A folder appears whole or not at all, and never takes the previous one with it.

Everything is written into a hidden folder beside the target, each file and folder is flushed to
the disk, and one system call puts it in place: a rename where nothing was, an exchange of the two
names where there was something (Linux `renameat2`, RENAME_EXCHANGE). A kill −9 or a full disk at
any moment therefore leaves the previous folder as it was.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from kuavo_train.errors import CheckpointError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a folder to write into; it becomes `target` when the block ends without an error.

    Raises:
        CheckpointError: the disk is full or not writable; `target` is as it was.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    clean(target)
    work = target.parent / f".{target.name}.writing-{os.getpid()}"
    work.mkdir()
    try:
        yield work
        _flush(work)
        _put_in_place(work, target)
    except (OSError, SafetensorError) as error:  # safetensors has its own for a full disk
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(
            f"could not write {target} ({reason}): what was there before is whole"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def atomic_file(target: Path, text: str) -> None:
    """Write a text file whole or not at all (UTF-8)."""
    work = target.with_name(f".{target.name}.writing-{os.getpid()}")
    try:
        work.write_text(text, encoding="utf-8")
        _sync(work)
        os.replace(work, target)
    finally:
        work.unlink(missing_ok=True)


def clean(target: Path) -> None:
    """Remove what killed writers of `target` left beside it (not a running process's)."""
    for left in target.parent.glob(f".{target.name}.writing-*"):
        pid = left.name.rpartition("-")[2]
        if pid != str(os.getpid()) and pid.isdigit() and _alive(int(pid)):
            continue
        shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _flush(folder: Path) -> None:
    readable = folder.stat().st_mode & 0o666  # as the umask says; safetensors writes 0600
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            path.chmod(readable)
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(work: Path, target: Path) -> None:
    if target.exists():
        _exchange(work, target)  # `work` now holds the old one; the caller removes it
    else:
        os.rename(work, target)
    _sync(target.parent)


def _exchange(one: Path, other: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, "this system cannot exchange two folders atomically")
    result = libc.renameat2(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE
    )
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
