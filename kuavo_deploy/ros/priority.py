"""Real-time priority for a process that must not be late beside busy ones."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_THREADS = Path("/proc/self/task")
HINT = "allow it with a line '<user> - rtprio 50' in /etc/security/limits.conf and a new login"


def take_priority(level: int) -> str:
    """Let all threads of this process run before every ordinary process (Linux's SCHED_RR).

    All of them: whoever holds the interpreter's lock must not wait for a core. Threads started
    later inherit it.

    Args:
        level: 1…99, among real-time processes; 0 leaves everything as it is.

    Returns:
        What came of it, for the log; refusal is no error, the process runs on as it was.

    Raises:
        ValueError: another level.
    """
    if not 0 <= level <= 99:
        raise ValueError(f"priority is {level}: 1…99, or 0 for none")
    if level == 0:
        return "ordinary priority"
    try:
        for thread in _THREADS.iterdir():
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(level))
    except PermissionError:
        return f"ordinary priority, real-time priority {level} is not permitted: {HINT}"
    except OSError as error:
        return f"ordinary priority: {error}"
    return f"real-time priority {level}"
