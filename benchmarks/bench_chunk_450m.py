"""One chunk of the 450 M architecture on the CPU: exact, and with 8-bit weights."""

from __future__ import annotations

from benchmarks import chunks, models
from benchmarks.form import CPU, Row
from benchmarks.machine import Machine

NEEDS = CPU


def rows(machine: Machine) -> list[Row]:
    """Whole chunk exact and int8, denoising alone, the chunk after its joint state."""
    bench = chunks.Chunks(models.LARGE, machine, {"float32": 1.2, "int8": 1.6})
    bench.measure(seconds=80, rounds=(3, 20), warm_up=0)
    return [*bench.whole(), bench.denoising(1.6), bench.after_state()]
