"""What an evaluation leaves: a new folder with `scores.json`, tables beside it, and `report.html`.

with EvaluationFolder(out, "trials") as folder:
    ...                                   # Parquet, videos: into folder.path
    folder.finish(document, render)       # scores.json, report.html; without it, nothing stays
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from kuavo_cli.errors import UserError
from kuavo_cli.jsonio import to_plain, write_json
from kuavo_train.checkpoint.atomic import atomic_folder
from kuavo_train.data.workspace import write_atomically
from kuavo_train.errors import CheckpointError

RESULTS = Path("outputs/eval")
"""Where evaluations go that are told no other place."""
SCORES, REPORT = "scores.json", "report.html"
OFFLINE, TRIALS, COMPARISON, CONTINUAL, REPLAY, PROXY = KINDS = (
    "offline",
    "trials",
    "comparison",
    "continual",
    "replay",
    "proxy",
)
SCHEMA = 1
"""Version of what `scores.json` means; readers refuse another one."""


class EvaluationFolder:
    """Grows hidden beside `out` and appears there whole, or not at all.

    Args:
        out: must not exist.
        kind: one of KINDS.
    """

    def __init__(self, out: Path, kind: str) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind {kind!r}: choose from {', '.join(KINDS)}")
        self.out = Path(out)
        self.kind = kind
        self._stack = ExitStack()
        self._finished = False

    def __enter__(self) -> EvaluationFolder:
        """Make the hidden folder.

        Raises:
            UserError: `out` exists.
        """
        if self.out.exists():
            raise UserError(f"{self.out} exists: choose another --out, nothing is overwritten")
        self.path = self._stack.enter_context(atomic_folder(self.out))
        return self

    def finish(
        self, document: Mapping[str, Any], render: Callable[[dict[str, Any]], str] | None = None
    ) -> dict[str, Any]:
        """Write `scores.json`, and `report.html` from what stands in it.

        Args:
            document: becomes JSON (see `to_plain`); numbers that are not finite become null.
            render: makes the page from the JSON document.

        Returns:
            The document as a reader of the file gets it.
        """
        plain = write_scores(self.path, self.kind, document, render)
        self._finished = True
        return plain

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the folder in place if it is finished, else remove it."""
        if error is None and not self._finished:
            kind, error = Unfinished, Unfinished()
        try:
            self._stack.__exit__(kind, error, trace)
        except CheckpointError as failure:
            raise UserError(str(failure)) from failure


def write_scores(
    folder: Path,
    kind: str,
    document: Mapping[str, Any],
    render: Callable[[dict[str, Any]], str] | None = None,
) -> dict[str, Any]:
    """Write both files into a folder that grows in place, e.g. one of trials; see `finish`."""
    content = {"kind": kind, "schema": SCHEMA, **document}
    plain: dict[str, Any] = json.loads(json.dumps(to_plain(content), allow_nan=False))
    for path in _dotted_keys(plain):
        raise ValueError(f"key {path!r} has a dot: sources on pages are dotted paths")
    write_json(folder / SCORES, plain)
    if render is not None:
        write_atomically(folder / REPORT, render(plain))
    return plain


class Unfinished(Exception):
    """Ends the hidden folder of an evaluation that was not finished."""


def read_scores(folder: Path | str, *kinds: str) -> dict[str, Any]:
    """The document of an evaluation's folder (or of its `scores.json`).

    Args:
        folder: what an evaluation left.
        kinds: accepted ones; none: all.

    Raises:
        UserError: no evaluation, damaged, of another version or of another kind.
    """
    path = Path(folder)
    file = path / SCORES if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        kind, schema = content["kind"], content["schema"]
    except FileNotFoundError:
        raise UserError(f"{path} is no evaluation: there is no {file}") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{file} cannot be read as an evaluation's scores: {error!r}") from error
    if schema != SCHEMA:
        raise UserError(f"{file} has schema {schema}, this version reads {SCHEMA}")
    wanted = kinds or KINDS
    if kind not in wanted:
        raise UserError(f"{path} holds {kind} scores: expected {' or '.join(wanted)}")
    return dict(content)


def _dotted_keys(value: Any, path: str = "") -> Iterator[str]:
    items = value.items() if isinstance(value, dict) else ()
    for key, item in items:
        if "." in key:
            yield f"{path}{key}"
        yield from _dotted_keys(item, f"{path}{key}.")
    for i, item in enumerate(value if isinstance(value, list) else ()):
        yield from _dotted_keys(item, f"{path}{i}.")
