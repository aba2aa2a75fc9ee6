"""The states of the executor and every way from one to another.

    DISABLED ──enable──▶ MOVE_TO_START ──there──▶ READY ──plan──▶ RUN ◀──▶ HOLD
        ▲                    (any enabled state) ──pause──▶ PAUSED ──resume──▶ READY
        └──reset── FAULT ◀── (any enabled state, and a HOLD or READY that lasts too long)

Only DISABLED, PAUSED and FAULT are silent: nothing is published once the arms stand. From FAULT
there is one way, the operator's reset, and it ends in DISABLED.
"""

from __future__ import annotations

from enum import Enum
from typing import Callable, Tuple


class State(Enum):
    """What the executor is doing."""

    DISABLED = "disabled"
    MOVE_TO_START = "move_to_start"
    READY = "ready"
    RUN = "run"
    HOLD = "hold"
    PAUSED = "paused"
    FAULT = "fault"


SILENT = frozenset({State.DISABLED, State.PAUSED, State.FAULT})
_WAITING = "no fresh plan since: "
Answer = Tuple[bool, str]
"""Was it done, and what there is to say."""


class Supervisor:
    """Holds the state; every method is one event.

    Args:
        hold_limit: a HOLD longer than this faults [s].
        ready_limit: a READY longer than this disables [s].
        on_change: called with (old, new, reason) after every change.

    Attributes:
        state: now. reason: why it is so. since: when it began [s].
        faults: everything that went wrong since the last reset, oldest first.
        holds: how often, by reason without its numbers. held: how long in all [s].
    """

    def __init__(
        self,
        hold_limit: float,
        ready_limit: float,
        on_change: Callable[[State, State, str], None] | None = None,
    ) -> None:
        self.state, self.reason, self.since = State.DISABLED, "not enabled yet", 0.0
        self.faults: list[str] = []
        self.holds: dict[str, int] = {}
        self.held = 0.0
        self._hold_limit, self._ready_limit = hold_limit, ready_limit
        self._paused_by: set[str] = set()
        self._start_pending = False
        self._waited = False
        self._on_change = on_change

    # the operator

    def enable(self, now: float, move_to_start: bool, problems: list[str]) -> Answer:
        """Begin, unless something is wrong or somebody has paused."""
        refusal = self.refusal(problems)
        if refusal:
            return False, refusal
        self._start_pending = move_to_start
        self._begin(now, "enabled")
        return True, "enabled"

    def refusal(self, problems: list[str]) -> str | None:
        """Why `enable` is refused now, if it is."""
        if self.state is State.FAULT:
            return f"faulted: {self.faults[-1]}; reset the fault first"
        if self.state is not State.DISABLED:
            return f"already enabled ({self.state.value})"
        problems = problems + [f"paused by {who}" for who in sorted(self._paused_by)]
        return "not enabled: " + "; ".join(problems) if problems else None

    def disable(self, now: float, reason: str) -> Answer:
        """Stop; only `enable` begins again."""
        if self.state is State.FAULT:
            return True, "faulted: nothing moves, and nothing will before a reset"
        self._enter(State.DISABLED, reason, now)
        return True, "disabled"

    def pause(self, now: float, who: str) -> Answer:
        """Stop until all who paused have resumed."""
        self._paused_by.add(who)
        if self.state not in SILENT:
            self._enter(State.PAUSED, f"paused by {who}", now)
        return True, "paused"

    def resume(self, now: float, who: str) -> Answer:
        """Take back `who`'s pause."""
        self._paused_by.discard(who)
        if self._paused_by:
            return False, "still paused by {}".format(", ".join(sorted(self._paused_by)))
        if self.state is State.PAUSED:
            self._begin(now, f"resumed by {who}")
        return True, self.state.value

    def reset(self, now: float) -> Answer:
        """Leave FAULT."""
        if self.state is not State.FAULT:
            return False, f"there is no fault ({self.state.value})"
        forgotten = "; ".join(self.faults)
        self.faults = []
        self._enter(State.DISABLED, f"fault reset: {forgotten}", now)
        return True, f"reset: {forgotten}"

    # what happens

    def fault(self, now: float, reason: str) -> None:
        """Something that needs the operator. Nothing to fault while disabled."""
        if self.state is State.DISABLED:
            return
        if reason not in self.faults:
            self.faults.append(reason)
        if self.state is not State.FAULT:
            self._enter(State.FAULT, reason, now)

    def at_start(self, now: float) -> None:
        """The start posture is reached."""
        if self.state is State.MOVE_TO_START:
            self._start_pending = False
            self._enter(State.READY, "at the start posture, waiting for a plan", now)

    def hold(self, now: float, reason: str, seen: bool = False) -> None:
        """Something is missing that may come back by itself.

        Args:
            now: [s]
            reason: for people.
            seen: `clear` tells when it is back, so a READY goes on waiting for its plan then.
        """
        if self.state in (State.MOVE_TO_START, State.READY, State.RUN):
            self.holds[reason_kind(reason)] = self.holds.get(reason_kind(reason), 0) + 1
            self._waited = seen and self.state is State.READY
            self._enter(State.HOLD, reason, now)
        elif self.state is State.HOLD and reason not in self.reason:
            self.reason = reason

    def clear(self, now: float) -> None:
        """Nothing is missing any more: go on to the start posture, or with waiting for a plan.

        Otherwise a HOLD ends with the next plan.
        """
        if self.state is not State.HOLD:
            return
        if self._start_pending or self._waited:
            self._begin(now, f"recovered from: {self.reason}")
        elif not self.reason.startswith(_WAITING):
            self.reason = _WAITING + self.reason

    def run(self, now: float) -> None:
        """Nothing is missing and there is a plan."""
        if self.state in (State.READY, State.HOLD) and not self._start_pending:
            self._enter(State.RUN, "executing", now)

    def wait(self, now: float, reason: str) -> None:
        """The plan was taken away on purpose (a switch): wait for the next one."""
        if self.state is State.RUN:
            self._enter(State.READY, reason, now)

    def expire(self, now: float) -> None:
        """Give up what has lasted too long."""
        lasted = now - self.since
        if self.state is State.HOLD and lasted > self._hold_limit:
            self.fault(now, f"held for {lasted:.1f} s: {self.reason}")
        elif self.state is State.READY and lasted > self._ready_limit:
            self.disable(now, f"no plan came within {self._ready_limit:.0f} s")

    def _begin(self, now: float, reason: str) -> None:
        self._enter(State.MOVE_TO_START if self._start_pending else State.READY, reason, now)

    def _enter(self, state: State, reason: str, now: float) -> None:
        if self.state is State.HOLD:
            self.held += max(now - self.since, 0.0)
        old, self.state, self.reason, self.since = self.state, state, reason, now
        if self._on_change is not None and old is not state:
            self._on_change(old, state, reason)


def reason_kind(reason: str) -> str:
    """A reason without its numbers, to count by."""
    return " ".join(
        "…" if any(letter.isdigit() for letter in word) else word for word in reason.split()
    )
