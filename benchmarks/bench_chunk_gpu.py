"""One chunk of the 450 M architecture on a GPU in bfloat16, from tensors and from JPEGs."""

from __future__ import annotations

from benchmarks import chunks, models
from benchmarks.form import GPU, Row
from benchmarks.machine import Machine

NEEDS = GPU


def rows(machine: Machine) -> list[Row]:
    """Against stock in bfloat16, with and without real-time chunking."""
    bench = chunks.Chunks(
        models.LARGE, machine, {"bfloat16": 14.0}, "cuda", "bfloat16", guided=True, jpegs=True
    )
    bench.measure(seconds=60, rounds=(7, 400))
    return [
        *bench.whole(), bench.guided(20.0), bench.denoising(), bench.after_state(),
        bench.from_jpegs(),
    ]  # fmt: skip
