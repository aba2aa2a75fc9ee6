"""Policy, executor and simulation in real time: switches, first commands, jitter."""

from __future__ import annotations

import numpy as np

from benchmarks.form import ROS, Row
from benchmarks.machine import Machine
from benchmarks.runtime import Run, recorded

NEEDS = ROS
TICK = 0.01
"""Of the executor [s]."""
SECONDS = 80.0


def rows(machine: Machine) -> list[Row]:
    """From a new instruction and from the joint state to the first command; the command stream."""
    run = recorded(SECONDS, every=(0.4, 1.2))
    policy = run.figures["kuavo_policy"]
    chunk, acting = (float(policy[f"{name} p50 [s]"]) for name in ("inference", "acting"))
    figures: dict[str, object] = {"policy": policy, "executor": run.figures["kuavo_executor"]}
    return [
        _switching(run, chunk, figures),
        _from_state(run, chunk, acting),
        _stream(run),
    ]


def _switching(run: Run, chunk: float, figures: dict[str, object]) -> Row:
    p50, p99 = np.quantile(run.switches, [0.5, 0.99])
    limit = chunk + 2 * TICK
    return Row(
        "from a new instruction on the topic to the first command of its plan, p99, nano",
        "one chunk time (p50, from images) and 2 ticks", "ms",
        round(1e3 * limit, 1), round(1e3 * p99, 1), round(limit / p99, 2), "≤ it",
        bool(p99 <= limit),
        figures={"p50 [ms]": round(1e3 * p50, 1), "switches": len(run.switches), **figures},
    )  # fmt: skip


def _from_state(run: Run, chunk: float, acting: float) -> Row:
    command = acting + float(np.median(run.hand_overs))
    return Row(
        "from the joint state to the first command computed from it, nano",
        "one chunk time (p50, from images)", "ms",
        round(1e3 * chunk, 1), round(1e3 * command, 1), round(chunk / command, 2), "≤ 0.5 of it",
        command <= 0.5 * chunk,
        figures={
            "of it: policy [ms]": round(1e3 * acting, 1), "plans": len(run.hand_overs),
        },
    )  # fmt: skip


def _stream(run: Run) -> Row:
    intervals = np.diff(run.commands)
    jitter = float(np.quantile(np.abs(intervals - TICK), 0.99))
    lost = int(np.sum(np.maximum(np.round(intervals / TICK) - 1, 0)))
    return Row(
        f"command interval at 100 Hz beside simulation and policy, p99 jitter, {SECONDS:.0f} s",
        "", "ms", None, round(1e3 * jitter, 3), None, "≤ 2 ms, none lost",
        jitter <= 2e-3 and not lost,
        figures={
            "commands": len(run.commands), "lost": lost,
            "longest interval [ms]": round(1e3 * float(intervals.max()), 2),
        },
    )  # fmt: skip
