"""Progress of long work: a bar on a terminal, a line every few seconds elsewhere.

with Progress("recording", total=200) as progress:
    for episode in episodes:
        ...
        progress.advance(note="seed 7")

for bag in track(bags, "converting"):
    ...
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from types import TracebackType
from typing import Any, TextIO, TypeVar

T = TypeVar("T")


class Progress:
    """Counts steps of `label` up to `total` (None: unknown) and shows them on `stream`.

    Args:
        label: what is being done, a verb in -ing.
        total: number of steps.
        unit: what one step is.
        stream: standard error by default, so that standard output stays parseable.
        every_s: at most one line per so many seconds where `stream` is no terminal [s].
        clock: monotonic seconds.
    """

    def __init__(
        self,
        label: str,
        total: int | None = None,
        *,
        unit: str = "",
        stream: TextIO | None = None,
        every_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self._unit = f" {unit}" if unit else ""
        self._stream = stream if stream is not None else sys.stderr
        self._every_s = every_s
        self._clock = clock
        self._start = self._shown_at = clock()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        """Start the bar."""
        self._start = self._shown_at = self._clock()
        if self._stream.isatty():
            self._open_bar()
        return self

    def advance(self, steps: int = 1, note: str = "") -> None:
        """`steps` more are done; `note` is shown behind them."""
        self.done += steps
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, note=note)
        elif self._clock() - self._shown_at >= self._every_s:
            self._print_line(note)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the bar, or print the last line."""
        if self._bar is not None:
            self._bar.stop()
        else:
            self._print_line("" if kind is None else "interrupted")

    def line(self, note: str = "") -> str:
        """What a log shows: counts, share, elapsed and remaining time."""
        elapsed = self._clock() - self._start
        if not self.total:
            text = f"{self.label}: {self.done}{self._unit}, {_duration(elapsed)}"
        else:
            share = min(1.0, self.done / self.total)
            text = (
                f"{self.label}: {self.done}/{self.total}{self._unit} ({share:.0%}), "
                f"{_duration(elapsed)}"
            )
            if 0 < self.done < self.total:
                text += f", {_duration(elapsed * (1 / share - 1))} left"
        return f"{text} · {note}" if note else text

    def _print_line(self, note: str) -> None:
        self._shown_at = self._clock()
        print(self.line(note), file=self._stream, flush=True)

    def _open_bar(self) -> None:
        # rich takes 0.1 s to import: only where it is shown.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import (
            Progress as RichProgress,
        )

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=Console(file=self._stream),
        )
        self._task = self._bar.add_task(self.label, total=self.total, note="")
        self._bar.start()


def track(items: Iterable[T], label: str, total: int | None = None, **options: Any) -> Iterator[T]:
    """Yield `items` and show how far they are; `options` are those of `Progress`."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(label, total, **options) as progress:
        for item in items:
            yield item
            progress.advance()


def _duration(seconds: float) -> str:
    """Seconds as ``42 s``, ``3:05`` or ``1:02:03``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
