"""One chunk of the nano architecture on the CPU, with and without real-time chunking."""

from __future__ import annotations

from benchmarks import chunks, models
from benchmarks.form import CPU, Row
from benchmarks.machine import Machine

NEEDS = CPU


def rows(machine: Machine) -> list[Row]:
    """Whole chunk, denoising alone, guided chunk, and the chunk after its joint state."""
    bench = chunks.Chunks(models.NANO, machine, {"float32": 2.5}, guided=True)
    bench.measure(seconds=60, rounds=(7, 400))
    return [*bench.whole(), bench.denoising(3.0), bench.guided(3.5), bench.after_state()]
