"""Runs a function over many inputs in worker processes that die with their parent."""

from __future__ import annotations

import concurrent.futures
import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from kuavo_cli.errors import UserError

T = TypeVar("T")
R = TypeVar("R")
_PR_SET_PDEATHSIG = 1


def run_all(function: Callable[[T], R], inputs: Iterable[T], workers: int) -> Iterator[tuple[T, R]]:
    """Yield (input, result) in the order of completion.

    Args:
        function: a module's function; its arguments and results travel between processes.
        inputs: taken one by one as workers get free, so a generator may decide late what comes.
        workers: processes; 1 runs everything in this one.

    Raises:
        UserError: a worker was killed. What `function` raises is raised here.
    """
    if workers <= 1:
        for item in inputs:
            yield item, function(item)
        return
    # spawn: a forked child would share the parent's OpenGL context and threads
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),)
    ) as executor:
        running: dict[concurrent.futures.Future[R], T] = {}
        remaining = iter(inputs)
        try:
            while True:
                while len(running) < workers:
                    item = next(remaining, _END)
                    if item is _END:
                        break
                    running[executor.submit(function, item)] = item  # type: ignore[index, assignment]
                if not running:
                    return
                done, _ = concurrent.futures.wait(running, return_when="FIRST_COMPLETED")
                for future in done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool as error:
            raise UserError(
                "a worker process was killed (out of memory?): run the same command again to "
                "continue, with fewer --workers"
            ) from error
        finally:
            for future in running:
                future.cancel()


_END: Any = object()


def _start_worker(parent: int) -> None:
    """Linux: a worker ends when its parent does, even by kill -9."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(1)
