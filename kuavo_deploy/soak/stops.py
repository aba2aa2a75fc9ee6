"""Every HOLD and FAULT of a run, and why: a stop without a good reason fails the soak."""

from __future__ import annotations

from typing import Any

from kuavo_deploy.safety.states import State
from kuavo_deploy.soak.blocked import Scene, blocked
from kuavo_deploy.soak.witness import Witness

_STOPS = (State.HOLD.value, State.FAULT.value)
_NAMES_ITS_CAUSE = ("/", "the policy stopped: ", "no fresh plan since: ", "held for ")
"""A hold whose reason begins so names a topic, or what the policy or an earlier hold lacked."""
_ASKS_TOO_MUCH = "outside the arms' limits"
_NOTICED = 2.0
"""A node says what it lacks at most so long before or after the stop [s]."""


def stops(witness: Witness, scene: Scene, end: float) -> list[dict[str, Any]]:
    """All of them in order: when, how long [s], why, whether that is explained, and by what."""
    states = list(witness.states)
    after = [at for at, _, _ in states[1:]] + [end]
    found = []
    for (at, state, reason), until in zip(states, after, strict=True):
        if state in _STOPS:
            explanation = _explanation(witness, scene, at, reason)
            found.append({
                "at": round(at, 1), "state": state, "lasted": round(until - at, 2),
                "reason": reason, **explanation,
            })  # fmt: skip
    return found


def _explanation(witness: Witness, scene: Scene, at: float, reason: str) -> dict[str, Any]:
    if "does not follow" in reason and at in witness.felt:
        return blocked(witness.felt[at], scene)
    if _ASKS_TOO_MUCH in reason:
        return {"explained": True, "because": "the policy asks for a posture that no arm can take"}
    if reason.startswith(_NAMES_ITS_CAUSE):
        return {"explained": True, "because": "its reason names it"}
    # no plan came: the policy says what it lacked
    said = [
        text for when, node, text in witness.complaints
        if node == "kuavo_policy" and abs(when - at) < _NOTICED
    ]  # fmt: skip
    return {"explained": bool(said), "because": said[0] if said else None}
