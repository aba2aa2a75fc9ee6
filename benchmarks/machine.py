"""The machine's name and its measured peak: what a roofline is drawn from."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from pathlib import Path

import torch

TRIES = 12


@dataclass(frozen=True)
class Machine:
    """What was measured just before a benchmark.

    name: processor or card. threads: of torch. flops: matrix product [FLOP/s], float32 on a CPU,
    bfloat16 on a GPU. bandwidth: read of memory that no cache holds [byte/s].
    """

    name: str
    threads: int
    flops: float
    bandwidth: float

    def limit(self, flop: float, read: float = 0.0) -> str:
        """The shortest time for so much work, in words.

        Args:
            flop: floating-point operations.
            read: weights that must be read [byte].
        """
        compute, memory = flop / self.flops, read / self.bandwidth
        bound = "arithmetic" if compute >= memory else "bandwidth"
        return f"{1e3 * max(compute, memory):.3g} ms ({bound})"


def measure(device: str) -> Machine:
    """The best of a few tries: a peak, not a mean."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    side = 1024 if device == "cpu" else 8192
    one = torch.randn(side, side, device=device, dtype=dtype)
    out = torch.empty_like(one)
    product = _best(lambda: torch.mm(one, one, out=out), device)
    big = torch.ones((256 if device == "cpu" else 4096) << 18, device=device)
    read = _best(big.sum, device)
    return Machine(
        _name(device), torch.get_num_threads(), 2 * side**3 / product, 4 * big.numel() / read
    )


def _best(run, device: str) -> float:  # type: ignore[no-untyped-def]
    durations = []
    for _ in range(TRIES):
        start = time.perf_counter()
        run()
        if device != "cpu":
            torch.cuda.synchronize()
        durations.append(time.perf_counter() - start)
    return min(durations[1:])


def _name(device: str) -> str:
    if device != "cpu":
        return torch.cuda.get_device_name(0)
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
