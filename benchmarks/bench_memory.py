"""Peak memory of a process that loads a policy and plans with it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import models
from benchmarks.form import CPU, Row
from benchmarks.machine import Machine
from benchmarks.memory import measured

NEEDS = CPU
SHARE = 0.7


def rows(machine: Machine) -> list[Row]:
    """Nano in float32 after two chunks; 450 M in both precisions when loaded."""
    with tempfile.TemporaryDirectory() as scratch:
        nano = models.checkpoint(Path(scratch) / "nano")
        large = models.checkpoint(Path(scratch) / "large", models.LARGE)
        return [
            _row("nano, float32, two chunks", nano, "float32", 2),
            _row("450 M, bfloat16, loaded", large, "bfloat16", 0),
            _row("450 M, float32, loaded", large, "float32", 0),
        ]


def _row(what: str, checkpoint: Path, dtype: str, plans: int) -> Row:
    stock, ours = (measured(engine, checkpoint, dtype, plans) for engine in ("stock", "fast"))
    ratio = stock["peak"] / ours["peak"]
    return Row(
        f"peak memory of a policy's process, {what}", "lerobot's loading and sampler", "MiB",
        round(stock["peak"]), round(ours["peak"]), round(ratio, 2), f"≤ {SHARE:g} of it",
        ours["peak"] <= SHARE * stock["peak"],
        f"{ours['imports']:.0f} MiB (torch and lerobot imported)",
        {"stock [MiB]": stock, "ours [MiB]": ours},
    )  # fmt: skip
