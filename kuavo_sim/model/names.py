"""Names in the MJCF, and the constants that scenes and robot share."""

from __future__ import annotations

from pathlib import Path

ROBOT_XML = Path(__file__).with_name("kuavo.xml")
BASE_HEIGHT = 0.82
"""base_link above the floor when standing [m]."""

SIDES = ("l", "r")
ARM_JOINTS = tuple(f"{side}_arm_{i}" for side in SIDES for i in range(1, 8))
FINGER_JOINTS = tuple(f"{side}_finger_{f}" for side in SIDES for f in ("in", "out"))
HEAD_JOINTS = ("head_yaw", "head_pitch")
BASE_JOINTS = ("base_x", "base_y", "base_yaw")

FINGER_STROKE = 0.055
"""Travel of one finger [m]; the claw opens twice as far."""

ROBOT_PADS = {side: (f"{side}_pad_in", f"{side}_pad_out") for side in SIDES}
OBJECT_CONTYPE = 2
OBJECT_CONAFFINITY = 15
"""Objects and furniture meet each other and every part of the robot."""
