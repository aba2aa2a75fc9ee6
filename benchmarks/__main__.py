"""Run benchmarks: `python -m benchmarks [NAME …] [--needs cpu|gpu|ros] [--table]`.

Without a name, all that need what `--needs` says. Each runs in a process of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.form import CPU, GPU, ROS

FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    """Of all benchmarks."""
    return sorted(file.stem.removeprefix("bench_") for file in FOLDER.glob("bench_*.py"))


def needs_of(name: str) -> str:
    """What a benchmark needs, read without importing it."""
    for line in (FOLDER / f"bench_{name}.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("NEEDS = "):
            return {"CPU": CPU, "GPU": GPU, "ROS": ROS}[line.removeprefix("NEEDS = ")]
    raise ValueError(f"bench_{name}.py has no NEEDS")


def run_here(name: str) -> Path:
    """Run one benchmark in this process and write its JSON."""
    import torch

    from benchmarks.machine import measure

    module: Any = importlib.import_module(f"benchmarks.bench_{name}")
    needs = needs_of(name)
    machine = measure("cuda" if needs == GPU else "cpu")
    rows = module.rows(machine)
    content = {
        "benchmark": name,
        "date": datetime.date.today().isoformat(),
        "machine": dataclasses.asdict(machine),
        "torch": torch.__version__,
        "rows": [row.content() for row in rows],
    }
    file = table.RESULTS / needs / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print("\n".join([table.HEAD, *table.lines(content)]), flush=True)
    return file


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(names())}")
    parser.add_argument("--needs", choices=[CPU, GPU, ROS], default=CPU)
    parser.add_argument("--here", action="store_true", help="in this process")
    parser.add_argument("--table", action="store_true", help="only write docs/performance.md")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(names()))
    if unknown:
        parser.error(f"unknown {', '.join(unknown)}: choose from {', '.join(names())}")
    chosen = options.names or [name for name in names() if needs_of(name) == options.needs]
    if options.table:
        table.write()
        return 0
    if options.here:
        for name in chosen:
            run_here(name)
        return 0
    command = [sys.executable, "-m", "benchmarks", "--here"]
    failed = [
        name
        for name in chosen
        if subprocess.run([*command, name], cwd=table.ROOT, check=False).returncode
    ]
    table.write()
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
