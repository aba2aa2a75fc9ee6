"""What the terminal shows at the end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from kuavo_eval.folder import REPORT
from kuavo_eval.report.text import MISSING, shown

_COLOURS = {"bad": "red", "open": "yellow", "good": "green"}


def print_summary(document: dict[str, Any], out: Path) -> None:
    """One row per checkpoint and task, the findings, and where the report is."""
    console = Console(width=None if os.isatty(1) else 160)
    table = Table(
        "checkpoint", "task", "error", "skill", "loss", "own instruction", box=None, pad_edge=False
    )
    for label, checkpoint in document["checkpoints"].items():
        for task, scored in checkpoint["tasks"].items():
            if scored["void"]:
                table.add_row(label, task, f"[red]void[/]: {scored['void']}")
                continue
            table.add_row(
                label,
                task,
                shown(scored["error"]),
                shown(scored["skill"]["hold"]) if "skill" in scored else MISSING,
                shown(scored["loss"]),
                shown(scored["instruction"]["identified"]) if "instruction" in scored else MISSING,
            )
    console.print(table)
    for finding in document["findings"]:
        console.print(f"[{_COLOURS[finding['level']]}]•[/] {finding['text']}", highlight=False)
    console.print(f"report: {out / REPORT}", highlight=False, soft_wrap=True)
