"""One chunk of the nano architecture on the CPU, with and without real-time chunking."""

from __future__ import annotations

from benchmarks import chunks, models
from benchmarks.form import CPU, Row
from benchmarks.machine import Machine

NEEDS = CPU


def rows(machine: Machine) -> list[Row]:
    """Whole chunk, denoising alone, guided chunk, and the chunk after its joint state."""
    bench = chunks.Chunks(models.NANO, machine, seconds=20)
    return [
        bench.whole("float32", target=2.5),
        bench.denoising("float32", target=3.0),
        bench.guided("float32", target=3.5),
        bench.after_state("float32"),
    ]
