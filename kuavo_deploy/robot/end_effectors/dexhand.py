"""The dexterous hand: six motors a hand, 0…100, driven by one number.

One number drives fingers 0 and 2–5 together and keeps finger 1 (the thumb's opposition) at 100,
so that the hand opens to [0, 100, 0, 0, 0, 0] and closes to [100] × 6.
"""

from __future__ import annotations

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors.base import EndEffector, check_length

FINGERS = 6
OPPOSITION = 1
FULL_SCALE = 100.0
_DRIVEN = tuple(i for i in range(FINGERS) if i != OPPOSITION)


class DexHand(EndEffector):
    """`qiangnao`. Positions: left hand's six numbers, then the right hand's."""

    name = "qiangnao"
    state_topic = topics.DEXHAND_STATE
    state_type = "sensor_msgs/JointState"
    command_topic = topics.DEXHAND_COMMAND
    command_type = "kuavo_msgs/robotHandPosition"

    def closure_from_state(self, position: np.ndarray) -> np.ndarray:
        """Closures out of the state message."""
        hands = check_length(position, 2 * FINGERS, "the hands' state").reshape(2, FINGERS)
        return hands[:, _DRIVEN].mean(axis=1) / FULL_SCALE

    def closure_from_command(self, position: np.ndarray) -> np.ndarray:
        """Closures out of the command message."""
        hands = check_length(position, 2 * FINGERS, "the hands' command").reshape(2, FINGERS)
        return hands[:, _DRIVEN].mean(axis=1) / FULL_SCALE

    def state(self, closure: np.ndarray) -> np.ndarray:
        """The state message's positions."""
        closure = np.clip(check_length(closure, 2, "a closure"), 0.0, 1.0)
        hands = np.full((2, FINGERS), FULL_SCALE)
        hands[:, _DRIVEN] = closure[:, None] * FULL_SCALE
        return hands.reshape(-1)

    def command(self, closure: np.ndarray) -> np.ndarray:
        """The command message's positions."""
        return np.rint(self.state(closure))
