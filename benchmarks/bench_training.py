"""Training steps of the nano policy on a CPU, with what each cache saves."""

from __future__ import annotations

from benchmarks.form import CPU, Row
from benchmarks.machine import Machine
from benchmarks.training import measured

NEEDS = CPU


def rows(machine: Machine) -> list[Row]:
    """Five contenders, two minutes."""
    return measured("nano", batch=16, target=5.0, seconds=100)
