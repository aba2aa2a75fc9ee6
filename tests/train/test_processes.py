"""Several processes of one command: they find each other, fail together, and none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kuavo_train.sequential.processes import is_shared, run_shared

from .conftest import REPOSITORY


def python(text: str) -> list[str]:
    return [sys.executable, "-c", f"import os, sys, time\nrank = int(os.environ['RANK'])\n{text}"]


def is_alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_each_is_told_who_it_is_and_where_the_others_are(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    names = ["WORLD_SIZE", "LOCAL_WORLD_SIZE", "LOCAL_RANK"]
    names += ["MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS"]
    told = f"' '.join(os.environ[n] for n in {names})"
    assert run_shared(python(f"open(f'{tmp_path}/{{rank}}', 'w').write({told})"), 3) == 0
    said = [(tmp_path / str(rank)).read_text().split() for rank in range(3)]
    assert [s[:3] for s in said] == [["3", "3", "0"], ["3", "3", "1"], ["3", "3", "2"]]
    assert {tuple(s[3:]) for s in said} == {
        ("127.0.0.1", said[0][4], str(max(1, (os.cpu_count() or 1) // 3)))
    }


def test_threads_that_were_asked_for_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert run_shared(python("sys.exit(os.environ['OMP_NUM_THREADS'] != '5')"), 2) == 0


@pytest.mark.parametrize("failing", [0, 1])
def test_one_that_fails_ends_all_and_is_heard(failing, tmp_path, capfd):
    began = time.monotonic()
    code = run_shared(
        python(
            f"open(f'{tmp_path}/{{rank}}', 'w').write(str(os.getpid()))\n"
            f"if rank == {failing}: sys.stderr.write('no card for me'); sys.exit(3)\n"
            "time.sleep(60)"
        ),
        2,
    )
    assert code == 3
    assert time.monotonic() - began < 30
    assert "no card for me" in capfd.readouterr().err
    started = [int(file.read_text()) for file in tmp_path.iterdir()]
    assert started and not any(map(is_alive, started))


def test_one_that_is_killed_is_a_failure():
    assert run_shared(python("os.kill(os.getpid(), 9) if rank else time.sleep(60)"), 2) == 137


def test_only_the_first_speaks(capfd):
    assert run_shared(python("print(f'I am {rank}')"), 3) == 0
    assert capfd.readouterr().out == "I am 0\n"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_none_outlives_the_command(how, tmp_path):
    """Ctrl-C, or a kill -9 of the launcher alone."""
    text = f"open(f'{tmp_path}/{{rank}}', 'w').write(str(os.getpid())); time.sleep(60)"
    launcher = subprocess.Popen(
        [sys.executable, "-c", "import sys\n"
         "from kuavo_train.sequential.processes import run_shared\n"
         f"sys.exit(run_shared({python(text)!r}, 2))"],
        cwd=REPOSITORY, start_new_session=True,
    )  # fmt: skip
    try:
        _wait(lambda: len([f for f in tmp_path.iterdir() if f.read_text()]) == 2)
        started = [int(file.read_text()) for file in tmp_path.iterdir()]
        assert all(map(is_alive, started))
        os.kill(launcher.pid, how)
        launcher.wait(30)
        _wait(lambda: not any(map(is_alive, started)))
    finally:
        launcher.kill()


def test_a_single_process_is_not_shared(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert not is_shared()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert is_shared()


def _wait(true, limit=30.0):
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
