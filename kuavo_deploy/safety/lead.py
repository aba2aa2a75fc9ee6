"""How far the arms' target may run ahead of the arms.

An arm that is pressed against something does not follow. If its command went on, the force would
rise, and what has piled up would be released in one rush. So a target is never further from the
measured joints than `lead`: the command stops advancing, and an arm that fell behind catches up on
the straight line to its target, not each joint as fast as it can.
"""

from __future__ import annotations

import numpy as np

from kuavo_deploy.robot.layout import ARM_DOF
from kuavo_deploy.safety.feedback import Sample


def within_lead(target: Sample, measured: np.ndarray, lead: float) -> Sample:
    """A target, drawn towards an arm that is further from it than `lead`.

    Args:
        target: of both arms.
        measured: shape (14,) [rad].
        lead: largest distance of a joint [rad].

    Returns:
        Per arm the target itself; or, if one of its joints is too far, the point on the way there
        at which that joint is `lead` ahead, to be reached standing.
    """
    way = target.position - measured
    furthest = np.abs(way.reshape(2, ARM_DOF)).max(axis=1)
    share = np.minimum(1.0, lead / np.maximum(furthest, lead)).repeat(ARM_DOF)
    near = share == 1.0
    return Sample(
        np.where(near, target.position, measured + share * way),
        np.where(near, target.velocity, 0.0),
        np.where(near, target.acceleration, 0.0),
    )
