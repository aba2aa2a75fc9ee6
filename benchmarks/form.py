"""What a benchmark is: a file `bench_NAME.py` that gives rows of the table.

    NEEDS = "cpu"                         # or "gpu", or "ros" (roscore, simulation, real time)

    def rows(machine: Machine) -> list[Row]:
        times = alternate({"stock": stock, "ours": ours}, seconds=20)
        return [compared("chunk, nano", "stock lerobot", times, target=2.5, limit=…)]

Stock and ours alternate in one process, so that whatever else the machine does hits both.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

CPU, GPU, ROS = "cpu", "gpu", "ros"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    what, against: in words. unit: of `stock` and `ours` (ms, frames/s, MB, …).
    stock, ours: medians. ratio: how many times better ours is; None where nothing is compared.
    target: in words. met: None where there is none. limit: the roofline, in words.
    figures: everything else worth keeping (quartiles, errors, counts), for the JSON.
    """

    what: str
    against: str
    unit: str
    stock: float | None
    ours: float | None
    ratio: float | None
    target: str = ""
    met: bool | None = None
    limit: str = ""
    figures: Mapping[str, object] = field(default_factory=dict)

    def content(self) -> dict[str, object]:
        """For JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Times:
    """Durations of one contender [s]."""

    durations: tuple[float, ...]

    @property
    def median(self) -> float:
        """[s]."""
        return statistics.median(self.durations)

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third [s]."""
        first, _, third = statistics.quantiles(self.durations, n=4)
        return first, third


def alternate(
    contenders: Mapping[str, Callable[[], object]],
    seconds: float = 20.0,
    rounds: tuple[int, int] = (7, 400),
    warm_up: int = 2,
) -> dict[str, Times]:
    """Call the contenders in turn, as often as fits into `seconds`.

    Args:
        contenders: by name; each does its whole work in the call (a GPU's synchronized).
        seconds: altogether, about.
        rounds: at least and at most.
        warm_up: calls of each that don't count.
    """
    for _ in range(warm_up):
        for run in contenders.values():
            run()
    durations: dict[str, list[float]] = {name: [] for name in contenders}
    began = time.perf_counter()
    for done in range(rounds[1]):
        if done >= rounds[0] and time.perf_counter() - began > seconds:
            break
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            durations[name].append(time.perf_counter() - start)
    return {name: Times(tuple(values)) for name, values in durations.items()}


def compared(
    what: str,
    against: str,
    times: Mapping[str, Times],
    target: float | None = None,
    limit: str = "",
    **figures: object,
) -> Row:
    """A row of `alternate`'s times called `stock` and `ours`, in ms.

    Args:
        what: in words.
        against: in words.
        times: of `alternate`.
        target: least ratio.
        limit: see `Row`.
        figures: see `Row`.
    """
    stock, ours = times["stock"], times["ours"]
    ratio = stock.median / ours.median
    spread = {
        f"{name} quartiles [ms]": [round(1e3 * q, 3) for q in times[name].quartiles]
        for name in ("stock", "ours")
    }
    return Row(
        what, against, "ms", round(1e3 * stock.median, 3), round(1e3 * ours.median, 3),
        round(ratio, 2), f"≥ {target:g}×" if target else "", ratio >= target if target else None,
        limit, {**spread, "calls": len(ours.durations), **figures},
    )  # fmt: skip
