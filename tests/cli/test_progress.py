"""Progress reads well in a log: few lines, with counts and times."""

from __future__ import annotations

import io

import pytest

from kuavo_cli.progress import Progress, track


class Clock:
    """Seconds that only move when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_line_every_few_seconds_and_one_at_the_end() -> None:
    clock, log = Clock(), io.StringIO()
    with Progress(
        "recording", 100, unit="episodes", stream=log, every_s=5, clock=clock
    ) as progress:
        for _ in range(100):
            clock.now += 0.5
            progress.advance()
    lines = log.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[0] == "recording: 10/100 episodes (10%), 5 s, 45 s left"
    assert lines[-1] == "recording: 100/100 episodes (100%), 50 s"


def test_long_times_unknown_totals_and_notes() -> None:
    clock, log = Clock(), io.StringIO()
    with Progress("converting", stream=log, clock=clock) as progress:
        clock.now = 3723
        progress.advance(7, note="bag 7")
    assert log.getvalue().splitlines()[0] == "converting: 7, 1:02:03 · bag 7"


def test_an_interruption_is_visible() -> None:
    log = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Progress("checking", 3, stream=log, clock=Clock()):
        raise KeyboardInterrupt
    assert "0/3" in log.getvalue() and "interrupted" in log.getvalue()


def test_track_yields_everything_and_counts() -> None:
    log = io.StringIO()
    assert list(track([1, 2, 3], "counting", stream=log, clock=Clock())) == [1, 2, 3]
    assert "3/3" in log.getvalue()
    assert list(track(iter("ab"), "counting", stream=log, clock=Clock())) == ["a", "b"]


def test_nothing_to_do() -> None:
    log = io.StringIO()
    assert list(track([], "counting", stream=log, clock=Clock())) == []
    assert "0" in log.getvalue()


def test_a_terminal_gets_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    with Progress("recording", 2, stream=screen) as progress:
        progress.advance()
        progress.advance(note="done")
    assert "recording" in screen.getvalue() and "2/2" in screen.getvalue()
