"""How fast it is, against stock lerobot in the same process: `make bench`, `make bench-gpu`.

One file per benchmark, `bench_*.py`, each with `NEEDS` and `rows(machine)` (see `form.py`). Every
benchmark runs in a process of its own (`__main__.py`) and writes `results/NEEDS/NAME.json`;
`table.py` puts all results into docs/performance.md.
"""
