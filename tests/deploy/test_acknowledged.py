"""The service that switches answers when the executor has that very epoch."""

from __future__ import annotations

import threading

from kuavo_deploy.policy.acknowledged import Acknowledged


def test_an_older_switch_s_acknowledgement_is_none() -> None:
    acknowledged = Acknowledged()
    acknowledged.heard("s:1")
    assert not acknowledged.wait("s:2", 0.0)
    acknowledged.heard("s:2")
    assert acknowledged.wait("s:2", 0.0)


def test_the_same_said_again_is_waited_for_again() -> None:
    acknowledged = Acknowledged()
    acknowledged.heard("s:1")
    acknowledged.forget()
    assert not acknowledged.wait("s:1", 0.0)


def test_it_wakes_who_waits() -> None:
    acknowledged = Acknowledged()
    later = threading.Timer(0.05, acknowledged.heard, ["s:1"])
    later.start()
    assert acknowledged.wait("s:1", 30.0)
    later.join()
