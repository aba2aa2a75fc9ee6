"""All results as one table inside docs/performance.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- results: written by `make bench` -->", "<!-- end of results -->"
HEAD = (
    "| what | against | it | ours | ratio | target | limit of this machine | when, where |\n"
    "|---|---|---|---|---|---|---|---|"
)
NOT_MEASURED = "not measured"


def results() -> list[dict[str, Any]]:
    """What `__main__` wrote, benchmark by benchmark."""
    files = sorted(RESULTS.glob("*/*.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def lines(result: dict[str, Any]) -> list[str]:
    """One benchmark's rows."""
    where = f"{result['date']}, {result['machine']['name']}"
    return [_line(row, where) for row in result["rows"]]


def _line(row: dict[str, Any], where: str) -> str:
    ratio = f"{row['ratio']:.2f}×" if row["ratio"] else ""
    mark = {True: " ✓", False: " ✗", None: ""}[row["met"]]
    cells = [
        row["what"], row["against"], _value(row["stock"], row["unit"]),
        _value(row["ours"], row["unit"]), ratio, row["target"] + mark, row["limit"], where,
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _value(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.4g} {unit}"


def write() -> None:
    """Replace the table in the page; what stands around it is left alone."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    found = [line for result in results() for line in lines(result)]
    table = "\n".join([HEAD, *found])
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
