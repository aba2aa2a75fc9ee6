"""Training steps of the 450 M policy on a GPU, with what each cache saves."""

from __future__ import annotations

from benchmarks.form import GPU, Row
from benchmarks.machine import Machine
from benchmarks.training import measured

NEEDS = GPU


def rows(machine: Machine) -> list[Row]:
    """The sample's 109 frames: 1 GB of cache, computed once before."""
    return measured("smolvla_450m", batch=16, target=8.0, seconds=60)
