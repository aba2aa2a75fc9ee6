"""How far an action is from the recorded one, number by number."""

from __future__ import annotations

import numpy as np

from kuavo_eval.metrics.parts import YAW


def differences(predicted: np.ndarray, recorded: np.ndarray) -> np.ndarray:
    """Predicted − recorded, shape (…, D) of `recorded`; the base's yaw by the shorter way round.

    Args:
        predicted: shape (…, 16 or 20), at least as many numbers as recorded.
        recorded: shape (…, D).
    """
    dim = recorded.shape[-1]
    found = np.asarray(predicted, np.float64)[..., :dim] - np.asarray(recorded, np.float64)
    if dim > YAW:
        found[..., YAW] = wrapped(found[..., YAW])
    return found


def wrapped(angles: np.ndarray) -> np.ndarray:
    """The same angles in [−π, π) [rad]."""
    return (angles + np.pi) % (2 * np.pi) - np.pi


def unwrapped_yaw(actions: np.ndarray) -> np.ndarray:
    """An episode's actions, shape (L, D), whose yaw doesn't jump by a turn."""
    actions = np.array(actions, np.float64)
    if actions.shape[-1] > YAW:
        actions[:, YAW] = np.unwrap(actions[:, YAW])
    return actions
