"""Do the arms follow? Blocked, unpowered or steered by somebody else, they don't."""

from __future__ import annotations

import numpy as np

from kuavo_deploy.robot.layout import ARM_JOINT_NAMES


class TrackingMonitor:
    """Compares what is commanded with what is measured, joint by joint.

    Args:
        limit: a larger difference counts [rad].
        patience: for longer than this [s].
    """

    def __init__(self, limit: float, patience: float) -> None:
        self._limit, self._patience = limit, patience
        self._since = np.full(len(ARM_JOINT_NAMES), np.inf)

    def check(
        self, commanded: np.ndarray | None, measured: np.ndarray | None, now: float
    ) -> str | None:
        """What is wrong, if it has been for long enough; both shape (14,) [rad]."""
        if commanded is None or measured is None:
            self._since[:] = np.inf
            return None
        error = np.abs(commanded - measured)
        self._since = np.where(error > self._limit, np.minimum(self._since, now), np.inf)
        late = now - self._since >= self._patience
        if not late.any():
            return None
        worst = int(np.where(late, error, 0.0).argmax())
        return f"{ARM_JOINT_NAMES[worst]} does not follow: {error[worst]:.2f} rad from its command"
