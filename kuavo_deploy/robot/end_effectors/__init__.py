"""End effectors, one file each: their topics' numbers to and from 0 (open) … 1 (closed)."""

from __future__ import annotations

from kuavo_deploy.robot.end_effectors.base import EndEffector
from kuavo_deploy.robot.end_effectors.claw import FULL_SCALE, Claw
from kuavo_deploy.robot.end_effectors.dexhand import DexHand
from kuavo_deploy.robot.end_effectors.gripper_2f85 import Gripper2F85

END_EFFECTORS: dict[str, EndEffector] = {
    effector.name: effector for effector in (Claw(), DexHand(), Gripper2F85())
}
_ALIASES = {"claw": "lejuclaw", "leju_claw": "lejuclaw", "dexhand": "qiangnao", "2f85": "rq2f85"}


def get_end_effector(name: str, claw_closed_at: float = FULL_SCALE) -> EndEffector:
    """The end effector called `name` (the robot's `/end_effector_type` or a common alias).

    Args:
        name: see above.
        claw_closed_at: 100 or 0, which end of the claw's scale is closed; others ignore it.
    """
    effector = END_EFFECTORS.get(_ALIASES.get(name, name))
    if effector is None:
        valid = ", ".join(sorted(END_EFFECTORS) + sorted(_ALIASES))
        raise ValueError(f"unknown end effector {name!r}: choose from {valid}")
    return Claw(float(claw_closed_at)) if isinstance(effector, Claw) else effector


__all__ = ["END_EFFECTORS", "Claw", "DexHand", "EndEffector", "Gripper2F85", "get_end_effector"]
