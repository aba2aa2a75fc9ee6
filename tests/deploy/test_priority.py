"""The executor's priority: every thread has it, or the log says why not and how to get it."""

from __future__ import annotations

import os
import threading

import pytest

from kuavo_deploy.ros import priority
from kuavo_deploy.ros.priority import take_priority


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict:
    """Thread → what was asked for; nothing is changed."""
    found: dict = {}

    def note(thread: int, policy: int, parameters: os.sched_param) -> None:
        found[thread] = policy, parameters.sched_priority

    monkeypatch.setattr(os, "sched_setscheduler", note)
    return found


def test_all_threads_get_it(asked: dict) -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        assert take_priority(20) == "real-time priority 20"
        assert {threading.get_native_id(), other.native_id} <= set(asked)
        assert set(asked.values()) == {(os.SCHED_RR, 20)}
    finally:
        done.set()
        other.join()


def test_none_is_left_alone(asked: dict) -> None:
    assert take_priority(0) == "ordinary priority"
    assert not asked


@pytest.mark.parametrize("level", [-1, 100])
def test_another_level_is_an_error(asked: dict, level: int) -> None:
    with pytest.raises(ValueError, match="1…99, or 0 for none"):
        take_priority(level)
    assert not asked


def test_a_refusal_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(priority.os, "sched_setscheduler", refuse)
    said = take_priority(20)
    assert "not permitted" in said and "limits.conf" in said
