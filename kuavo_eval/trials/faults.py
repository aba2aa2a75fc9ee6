"""Which stops are the policy's own doing, a failure, and which make a trial void."""

from __future__ import annotations

_POLICY = ("does not follow", "outside the arms' limits")
"""As `kuavo_deploy.safety` words them; a test holds the two together."""


class VoidTrial(RuntimeError):
    """The trial says nothing about the policy's skill; the message is the reason."""


def is_policy_fault(reason: str) -> bool:
    """Did the executor stop the robot because of what the policy wanted it to do?

    Where the arms should be and are not (they ran into something), or a plan far outside the
    limits. Everything else (no plans, numbers that are not finite, sensors, other publishers)
    is the machinery's, and void.
    """
    return any(part in reason for part in _POLICY)
