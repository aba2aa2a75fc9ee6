"""One chunk of the 450 M architecture on the CPU: exact, and with 8-bit weights."""

from __future__ import annotations

from benchmarks import chunks, models
from benchmarks.form import CPU, Row
from benchmarks.machine import Machine

NEEDS = CPU


def rows(machine: Machine) -> list[Row]:
    """Whole chunk exact and int8, denoising alone, the chunk after its joint state."""
    bench = chunks.Chunks(models.LARGE, machine, seconds=60, rounds=(3, 20))
    return [
        bench.whole("float32", target=1.2),
        bench.denoising("float32", target=1.6),
        bench.whole("int8", target=1.6),
        bench.after_state("float32"),
    ]
