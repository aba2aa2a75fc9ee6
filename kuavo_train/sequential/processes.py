"""One command in several processes of this machine that share every training step.

One process per GPU, or per core of a CPU: the products of a small model are too small to be
shared by threads. The environment is what torch.distributed and accelerate expect of a launcher.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import IO

from kuavo_cli.never_alone import NEVER_ALONE
from kuavo_cli.ports import free_port

PATIENCE = 20.0
"""A process that is told to end may take so long [s]."""
_LOOK = 0.2


def is_shared() -> bool:
    """Whether this process is one of several already."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def run_shared(command: Sequence[str], processes: int) -> int:
    """Run a command so many times at once; all end when one of them fails.

    Args:
        command: program and arguments.
        processes: how many; the first one has the terminal, what another one said is shown when it
            was the first to fail.

    Returns:
        0, or the exit code of the first one that failed.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as aside:
        port = free_port()
        running = [
            subprocess.Popen(
                [*NEVER_ALONE, *command], env=_environment(rank, processes, port),
                stdout=aside if rank else None, stderr=aside if rank else None,
            )
            for rank in range(processes)
        ]  # fmt: skip
        try:
            first = _first_failure(running)
        finally:
            _end(running)
        if first is None:
            return 0
        if first > 0:
            _show(aside)
        code = running[first].returncode
        return code if code > 0 else 128 - code


def _first_failure(running: Sequence[subprocess.Popen]) -> int | None:
    """Waits; which one failed first, or None."""
    while True:
        codes = [process.poll() for process in running]
        for rank, code in enumerate(codes):
            if code:
                return rank
        if all(code == 0 for code in codes):
            return None
        time.sleep(_LOOK)


def _end(running: Sequence[subprocess.Popen]) -> None:
    """Ctrl-C, and harder for whoever hangs waiting for the one that failed."""
    limit = time.monotonic() + PATIENCE
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in running:
        try:
            process.wait(max(0.0, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(rank: int, processes: int, port: int) -> dict[str, str]:
    threads = max(1, (os.cpu_count() or 1) // processes)
    return {
        "OMP_NUM_THREADS": str(threads),
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
    }


def _show(aside: IO[str]) -> None:
    aside.seek(0)
    sys.stderr.write(aside.read())
