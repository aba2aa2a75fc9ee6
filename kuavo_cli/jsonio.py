"""Reports for ``--json FILE``: whole or not there, and readable by any JSON parser."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

from kuavo_cli.errors import UserError


def to_plain(value: Any) -> Any:
    """Turn `value` into what JSON knows; a number that is not finite becomes null.

    Knows mappings, sequences, sets, dataclasses, paths, and anything with ``tolist()``
    (numpy arrays and scalars, torch tensors).
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(to_plain(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return to_plain(value.tolist())
    raise TypeError(f"cannot write a {type(value).__name__} as JSON: {value!r}")


def write_json(path: str | os.PathLike[str], data: Any) -> Path:
    """Write `data` to `path` in one step, making its folder.

    An earlier report is replaced; a file that holds something other than JSON is not.

    Raises:
        UserError: `path` is a folder, cannot be written, or holds something other than JSON.
    """
    path = Path(path)
    text = json.dumps(to_plain(data), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if path.exists() and not _holds_json(path):
        raise UserError(f"{path} exists and is not a JSON file: it is left as it is")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException as error:
        os.unlink(name)
        if isinstance(error, OSError):
            raise UserError(f"cannot write {path}: {error.strerror}") from error
        raise
    return path


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is no such file, or something else in it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _holds_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8") or "null")
    except (OSError, ValueError):
        return False
    return True


def _umask() -> int:
    """The process's umask; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
