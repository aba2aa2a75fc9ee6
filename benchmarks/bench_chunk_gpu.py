"""One chunk of the 450 M architecture on a GPU in bfloat16, from tensors and from JPEGs."""

from __future__ import annotations

from benchmarks import chunks, models
from benchmarks.form import GPU, Row
from benchmarks.machine import Machine

NEEDS = GPU


def rows(machine: Machine) -> list[Row]:
    """Against stock in bfloat16, with and without real-time chunking."""
    bench = chunks.Chunks(models.LARGE, machine, seconds=20, device="cuda", dtype="bfloat16")
    return [
        bench.whole("bfloat16", target=14.0),
        bench.guided("bfloat16", target=20.0),
        bench.denoising("bfloat16"),
        bench.after_state("bfloat16"),
        bench.from_jpegs("bfloat16"),
    ]
