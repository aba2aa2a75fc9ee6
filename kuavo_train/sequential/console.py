"""What a person sees: the log file, the console, the progress bar, TensorBoard."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

log = logging.getLogger("kuavo_train")


class _AboveTheBar(logging.Handler):
    """Console lines that don't tear the progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stdout)


def start_logging(file: Path | None) -> None:
    """Log to the console and, appending, to `file`; None: say nothing (a helper process)."""
    stop_logging()
    log.setLevel(logging.DEBUG)
    log.propagate = False
    if file is None:
        log.addHandler(logging.NullHandler())
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    console = _AboveTheBar()
    console.setLevel(logging.INFO)  # the progress bar shows the rest
    console.addFilter(lambda record: record.levelno < logging.ERROR)  # the command says what failed
    console.setFormatter(logging.Formatter("%(message)s"))
    stream = logging.FileHandler(file, encoding="utf-8")
    stream.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    for handler in (console, stream):
        log.addHandler(handler)


def stop_logging() -> None:
    """Close what `start_logging` opened."""
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()


class Monitor:
    """Curves and the progress bar of one stage. Does nothing in helper processes."""

    def __init__(
        self, folder: Path, title: str, steps: int, first: int, batch: int, active: bool
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter  # loads torch; errors come sooner

        self._batch, self._steps = batch, steps
        self._writer = (
            SummaryWriter(str(folder / "tensorboard"), purge_step=first) if active else None
        )
        self._bar = tqdm(
            total=steps * batch,
            initial=first * batch,
            desc=title,
            unit=" samples",
            unit_scale=True,
            dynamic_ncols=True,
            disable=not active,
            mininterval=0.5,
        )

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        if self._writer:
            self._writer.close()

    def step(self, loss: float, rate: float) -> None:
        """One optimizer step was done."""
        self._bar.set_postfix_str(f"loss {loss:.4f}, lr {rate:.2e}", refresh=False)
        self._bar.update(self._batch)

    def point(self, step: int, loss: float, rate: float, waiting: float | None) -> None:
        """A point of the training curves, and a line for who follows the log file.

        Args:
            step: done last.
            loss: of the step.
            rate: its learning rate.
            waiting: part of the training time in which the loader had nothing ready.
        """
        self.scalar("train/loss", loss, step)
        self.scalar("train/lr", rate, step)
        seen = self._bar.format_dict
        speed = (seen["rate"] or seen["n"] / max(seen["elapsed"], 1e-9)) if self._writer else 0.0
        if speed:
            left = tqdm.format_interval((seen["total"] - seen["n"]) / speed)
            log.debug(
                "step %d/%d: loss %.4f, lr %.2e, %.1f samples/s, %s left, waiting for data %.0f %%",
                step + 1,
                self._steps,
                loss,
                rate,
                speed,
                left,
                100 * (waiting or 0),
            )

    def scalar(self, tag: str, value: float, step: int) -> None:
        """A point of a TensorBoard curve."""
        if self._writer:
            self._writer.add_scalar(tag, value, step)

    def flush(self) -> None:
        """Make the curves visible now; what was done since the last step is not training time."""
        self._bar.unpause()
        if self._writer:
            self._writer.flush()


def table(rows: list[tuple[Any, ...]]) -> str:
    """Rows in columns."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))]
    return "\n".join(
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )
