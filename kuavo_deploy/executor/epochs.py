"""Which instruction is in force. Every switch begins a new epoch; plans name theirs.

An epoch is `session:number`. A policy process draws its session when it starts and counts up, so
an announcement that was overtaken by a newer one of the same session is recognized.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Sequence

from kuavo_deploy.robot.layout import ARM_DOF


class Announcement(NamedTuple):
    """A switch: from now on only plans of `epoch` count.

    task: name of a known task, or '' for free text. instruction: what the policy is told.
    start: where its demonstrations began, 14 arm positions [rad], left then right; empty when the
    policy does not know.
    """

    epoch: str
    task: str
    instruction: str
    start: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """What is acknowledged: the task's name, or the free text."""
        return self.task or self.instruction


class EpochError(ValueError):
    """An announcement that is malformed or overtaken."""


class Epochs:
    """Keeps the announcement in force.

    Attributes:
        current: None before the first.
    """

    def __init__(self) -> None:
        self.current: Announcement | None = None
        self._over: set[str] = set()

    def announce(self, announcement: Announcement) -> bool:
        """Begin an epoch; False when it is the current one again.

        Raises:
            EpochError: it is malformed, older than the current one of its session, or of a
                session that another has replaced (a process that was stopped and woke up).
        """
        _check_start(announcement.start)
        session, number = parse_epoch(announcement.epoch)
        if self.current is not None:
            current_session, current_number = parse_epoch(self.current.epoch)
            same = session == current_session
            if same and number == current_number:
                return False
            if session in self._over or (same and number < current_number):
                raise EpochError(
                    f"epoch {announcement.epoch} is over: {self.current.epoch} is in force"
                )
            if not same:
                self._over.add(current_session)
        self.current = announcement
        return True

    def is_current(self, epoch: str) -> bool:
        """Does a plan of `epoch` count?"""
        return self.current is not None and epoch == self.current.epoch


def _check_start(start: Sequence[float]) -> None:
    if len(start) not in (0, 2 * ARM_DOF) or not all(map(math.isfinite, start)):
        raise EpochError(f"a start posture has {2 * ARM_DOF} finite numbers, got {start}")


def parse_epoch(epoch: str) -> tuple[str, int]:
    """Session and number of an epoch."""
    session, colon, number = epoch.rpartition(":")
    if not colon or not session or not number.isdigit() or len(number) > 12:
        raise EpochError(f"an epoch is 'session:number', got {epoch[:80]!r}")
    return session, int(number)
