"""`kuavo`: starts at once, teaches, names what is valid, and one broken group stops no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_cli.lazy import LazyGroup, Member, load


def kuavo(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.prefix) / "bin" / "kuavo"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def test_help_comes_quickly_and_imports_nothing_heavy() -> None:
    # Processor time: 0.3 s, whatever else the machine does.
    before = os.times()
    assert kuavo("--help").returncode == 0
    after = os.times()
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 0.8
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom kuavo_cli.main import app\n"
        "CliRunner().invoke(app, ['--help'])\n"
        "print([m for m in ('torch', 'mujoco', 'lerobot', 'numpy', 'rospy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_teaches() -> None:
    text = kuavo("--help").stdout
    for word in ("doctor", "sim", "data", "kuavo sim demo --task weighing", "Exit codes"):
        assert word in text
    assert "kuavo doctor --json" in kuavo("doctor", "--help").stdout


def test_an_unknown_command_gets_the_list() -> None:
    done = kuavo("simm")
    assert done.returncode == 2
    assert "'simm'" in done.stderr and "doctor, demo, sim, data" in done.stderr.replace("\n", " ")


def test_an_unknown_option_is_a_usage_error() -> None:
    done = kuavo("doctor", "--jsn", "x")
    assert done.returncode == 2 and "--jsn" in done.stderr


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups on the path: a good one, one that needs something absent, one with a bug."""
    (tmp_path / "good_group.py").write_text(
        "import typer\napp = typer.Typer()\n@app.callback()\ndef g(): pass\n"
        "@app.command()\ndef hello(name: str): print('hello', name)\n"
    )
    (tmp_path / "needy_group.py").write_text("import no_such_dependency\n")
    (tmp_path / "buggy_group.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))


class Groups(LazyGroup):
    members = {
        "good": Member("good_group", "Works."),
        "needy": Member("needy_group", "Needs something."),
        "buggy": Member("buggy_group", "Has a bug."),
        "later": Member("no_such_package.cli", "Is not there yet."),
    }


def lazy_app() -> typer.Typer:
    app = typer.Typer(cls=Groups)

    @app.callback()
    def root() -> None:
        pass

    return app


@pytest.mark.usefixtures("broken")
def test_a_broken_group_stops_no_other() -> None:
    runner = CliRunner()
    listed = runner.invoke(lazy_app(), ["--help"])
    assert listed.exit_code == 0
    assert all(name in listed.output for name in Groups.members)
    assert runner.invoke(lazy_app(), ["good", "hello", "you"]).output == "hello you\n"
    assert "completion" not in runner.invoke(lazy_app(), ["good", "--help"]).output


@pytest.mark.usefixtures("broken")
def test_a_missing_dependency_is_named_with_its_fix() -> None:
    with pytest.raises(UserError, match="no_such_dependency.*make setup"):
        load("needy", Groups.members["needy"])


def test_a_group_that_is_not_there_is_said_so() -> None:
    with pytest.raises(UserError, match="'kuavo later' is not part of this version"):
        load("later", Groups.members["later"])


@pytest.mark.usefixtures("broken")
def test_a_bug_keeps_its_trace() -> None:
    with pytest.raises(ZeroDivisionError):
        load("buggy", Groups.members["buggy"])


def test_a_user_error_is_one_sentence_and_its_exit_code(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("mine")
    done = kuavo("doctor", "--json", str(text))
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        f"kuavo: {text} exists and is not a JSON file: it is left as it is"
    ]
    assert text.read_text() == "mine"


def test_the_helpers_do_not_import_typer() -> None:
    code = (
        "import sys, kuavo_cli.jsonio, kuavo_cli.progress, kuavo_cli.errors\n"
        "print([m for m in ('typer', 'rich', 'click') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.stdout.strip() == "[]"
