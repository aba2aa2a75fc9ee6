"""An action's parts, which are never averaged together: arms [rad], hands [0…1], base [m, rad]."""

from __future__ import annotations

import numpy as np

from kuavo_deploy.robot.layout import (
    ARM_INDICES,
    HAND_INDICES,
    STATE_DIM,
    WALKING_ACTION_DIM,
    check_action_dim,
)

YAW = 18
"""The base's heading [rad]: the one number that wraps around."""
PARTS = {
    "arms": tuple(ARM_INDICES),
    "hands": tuple(HAND_INDICES),
    "base": tuple(range(STATE_DIM, WALKING_ACTION_DIM)),
}
UNITS = {"arms": "rad", "hands": "0…1", "base": "m, rad, 0…1"}
_STILL = {"arms": 0.02, "hands": 0.05, "base": 0.02}


def parts_of(dim: int) -> dict[str, list[int]]:
    """Indices of each part that an action of `dim` numbers (16 or 20) has."""
    check_action_dim(dim)
    inside = {part: [i for i in indices if i < dim] for part, indices in PARTS.items()}
    return {part: indices for part, indices in inside.items() if indices}


def still_below(dim: int) -> np.ndarray:
    """The spread under which a number counts as not demonstrated, shape (dim,).

    Arms 0.02 rad (about 1°), hands 0.05 of their way, base 0.02 m or rad.
    """
    limits = np.zeros(dim)
    for part, indices in parts_of(dim).items():
        limits[indices] = _STILL[part]
    return limits


def part_means(values: np.ndarray) -> dict[str, float]:
    """Mean of each part over numbers that are not NaN; NaN where a part has none.

    values: shape (D,).
    """
    means = {}
    for part, indices in parts_of(len(values)).items():
        known = values[indices][~np.isnan(values[indices])]
        means[part] = float(known.mean()) if len(known) else float("nan")
    return means
