"""Leju's two-finger claw: 0…100, left and right."""

from __future__ import annotations

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors.base import EndEffector, check_length

FULL_SCALE = 100.0


class Claw(EndEffector):
    """`lejuclaw`. `closed_at` is 100 or 0: the vendor's sources disagree, so it is configurable.

    The SDK's `close()` sends 100 and Leju's policies treat 0 as open; a comment in the message
    file says the reverse.
    """

    name = "lejuclaw"
    state_topic = topics.CLAW_STATE
    state_type = "kuavo_msgs/lejuClawState"
    command_topic = topics.CLAW_COMMAND
    command_type = "kuavo_msgs/lejuClawCommand"

    def __init__(self, closed_at: float = FULL_SCALE) -> None:
        if closed_at not in (0.0, FULL_SCALE):
            raise ValueError(f"closed_at is 0 or 100, not {closed_at!r}")
        self.closed_at = closed_at

    def closure_from_state(self, position: np.ndarray) -> np.ndarray:
        """Closures out of the state message."""
        return self._flip(check_length(position, 2, "the claw's state") / FULL_SCALE)

    def closure_from_command(self, position: np.ndarray) -> np.ndarray:
        """Closures out of the command message."""
        return self._flip(check_length(position, 2, "the claw's command") / FULL_SCALE)

    def state(self, closure: np.ndarray) -> np.ndarray:
        """The state message's positions."""
        return self.command(closure)

    def command(self, closure: np.ndarray) -> np.ndarray:
        """The command message's positions."""
        closure = np.clip(check_length(closure, 2, "a closure"), 0.0, 1.0)
        return self._flip(closure) * FULL_SCALE

    def _flip(self, fraction: np.ndarray) -> np.ndarray:
        return fraction if self.closed_at else 1.0 - fraction
