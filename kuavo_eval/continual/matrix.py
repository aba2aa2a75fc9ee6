"""Scores of many checkpoints on all tasks, with what is needed for intervals of their figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kuavo_eval.continual import transfer
from kuavo_eval.statistics import Bootstrapped, Quantity, Rate, bootstrap_ratio, combined

ONE_STAGE = "one stage alone has nothing to forget"
NO_BASE = "the base model was not scored: --base DIR"


@dataclass(frozen=True)
class Matrix:
    """Rows are checkpoints, columns tasks; the same episodes (or trials) in all rows of a column.

    unit: of a cell. lower_is_better: for errors. drawn: task → value of shape (rows,) and
    resamples. void: (row, task) → why there is no score. rates: (row, task) → of success.
    """

    rows: tuple[str, ...]
    tasks: tuple[str, ...]
    unit: str
    lower_is_better: bool
    drawn: Mapping[str, Bootstrapped]
    void: Mapping[tuple[str, str], str] = field(default_factory=dict)
    rates: Mapping[tuple[str, str], Rate] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        rows: Sequence[str],
        tasks: Sequence[str],
        unit: str,
        lower_is_better: bool,
        sums: Mapping[str, np.ndarray],
        counts: Mapping[str, np.ndarray],
        seed: int,
        **more: Any,
    ) -> Matrix:
        """From each task's sums and counts, of shape (rows, episodes)."""
        drawn = {
            task: bootstrap_ratio(sums[task], counts[task], seed=seed + i)
            for i, task in enumerate(tasks)
        }
        return cls(tuple(rows), tuple(tasks), unit, lower_is_better, drawn, **more)

    def cell(self, row: str, task: str) -> dict[str, Any]:
        """One score with its interval."""
        if (row, task) in self.rates:
            return self.rates[row, task].as_dict()
        if why := self.void.get((row, task)):
            return Quantity(None, self.unit, why=why).as_dict()
        return self.drawn[task].quantity(self.unit, self.rows.index(row)).as_dict()

    def value(self, row: str, task: str) -> float | None:
        """The score; None: void."""
        value = self.cell(row, task)["value"]
        return None if value is None else float(value)

    def figure(
        self, function: Callable[[np.ndarray], np.ndarray], rows: Sequence[str], unit: str
    ) -> dict[str, Any]:
        """A function of the rows' matrix (more is better), shape (rows, tasks, ...)."""
        places = [self.rows.index(row) for row in rows]
        sign = -1.0 if self.lower_is_better else 1.0
        total = combined(
            lambda *columns: function(sign * np.stack([c[places] for c in columns], axis=1)),
            *[self.drawn[task] for task in self.tasks],
        )
        found = total.quantity(unit)
        if found.value is None:
            return Quantity(None, unit, why="a score that it needs is missing").as_dict()
        return found.as_dict()


def figures(matrix: Matrix, stages: Sequence[str], base: str | None) -> dict[str, Any]:
    """ACC, BWT, FWT, forgetting and NBT of a sequence of stages.

    ACC is given in the cells' own sense (an error stays an error); all others count more as
    better, so that a negative BWT is forgetting for errors too.
    """
    unit, learned = matrix.unit, matrix.tasks[: len(stages)]
    square = Matrix(matrix.rows, learned, unit, matrix.lower_is_better, matrix.drawn, matrix.void)
    sign = -1.0 if matrix.lower_is_better else 1.0
    found: dict[str, Any] = {
        "acc": square.figure(lambda r: sign * transfer.acc(r), stages, unit),
    }
    if len(stages) < 2:
        nothing = Quantity(None, unit, why=ONE_STAGE).as_dict()
        names = ("bwt", "fwt", "forgetting", "nbt", "nbt_relative")
        return {**found, **dict.fromkeys(names, nothing), "nbt_by_task": []}
    found["bwt"] = square.figure(transfer.bwt, stages, unit)
    found["fwt"] = (
        square.figure(lambda r: transfer.fwt(r[1:], r[0]), [base, *stages], unit)
        if base
        else Quantity(None, unit, why=NO_BASE).as_dict()
    )
    found["forgetting"] = square.figure(transfer.forgetting, stages, unit)
    for name, function in (("nbt", transfer.nbt), ("nbt_relative", transfer.nbt_relative)):
        of = unit if name == "nbt" else "fraction"
        found[name] = square.figure(
            lambda r, f=function: transfer.mean_over_tasks(f, r),  # type: ignore[misc]
            stages,
            of,
        )
    found["nbt_by_task"] = [
        {
            "task": task,
            "plain": square.figure(lambda r, k=k: transfer.nbt(r, k), stages, unit),  # type: ignore[misc]
            "relative": square.figure(
                lambda r, k=k: transfer.nbt_relative(r, k),  # type: ignore[misc]
                stages,
                "fraction",
            ),
        }
        for k, task in enumerate(learned[:-1])
    ]
    return found


def as_document(matrix: Matrix) -> dict[str, Any]:
    """Unit, sense and all cells: row → task → quantity."""
    return {
        "unit": matrix.unit,
        "lower_is_better": matrix.lower_is_better,
        "cells": {
            row: {task: matrix.cell(row, task) for task in matrix.tasks} for row in matrix.rows
        },
    }
