"""A policy rests while nobody executes its plans, and is there at once when somebody does."""

from __future__ import annotations

import pytest

from kuavo_deploy.policy.rest import Rest


@pytest.mark.parametrize("state", ["disabled", "paused", "fault"])
def test_it_rests_while_the_executor_is_silent(state: str) -> None:
    rest = Rest(2.0)
    rest.heard(state)
    assert rest.resting
    assert (rest.wait(0.3), rest.wait(5.0)) == (2.0, 5.0)


@pytest.mark.parametrize("state", ["", "move_to_start", "ready", "run", "hold"])
def test_it_keeps_its_rhythm_while_the_executor_moves_waits_or_was_never_heard(state: str) -> None:
    rest = Rest(2.0)
    rest.heard(state)
    assert not rest.resting
    assert rest.wait(0.3) == 0.3


@pytest.mark.parametrize(
    ("states", "wanted"),
    [
        (["disabled", "ready"], True),
        (["disabled", "move_to_start"], True),
        (["move_to_start", "ready"], True),
        (["run", "ready"], True),
        (["ready", "run"], False),
        (["run", "hold"], False),
        (["run", "disabled"], False),
        (["disabled", "disabled"], False),
        (["ready", "ready"], False),
    ],
)
def test_the_first_plan_is_begun_as_soon_as_it_is_wanted(states: list[str], wanted: bool) -> None:
    rest = Rest(2.0)
    for state in states:
        asked = rest.heard(state)
    assert asked is wanted
