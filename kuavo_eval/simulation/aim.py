"""Where the thing is, seen from the hand, when the hand first begins to close.

That is the one precise moment of a task. A policy that looks where it should is off by less than
the hand forgives; one that goes where things lie on average is off by as much as they vary.
"""

from __future__ import annotations

from kuavo_eval.trials.schema import Aim
from kuavo_sim.model.names import SIDES
from kuavo_sim.simulation import Simulation

_CLOSING = 0.4
"""A hand that is told to close farther than this has decided to [closure]."""


class AimWatch:
    """Looks after every control period, until a hand closes."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self.aim: Aim | None = None

    def __call__(self) -> None:
        """After every control period."""
        if self.aim is not None:
            return
        for side, closure in zip(SIDES, self._sim.robot.hand_command, strict=True):
            if closure > _CLOSING:
                self.aim = self._seen_from(side)
                return

    def _seen_from(self, side: str) -> Aim:
        tcp = self._sim.data.site(f"{side}_tcp")
        thing = self._sim.data.body(self._sim.scene.graspable[0])
        # the hand points along -z and its fingers close along y
        _, aside, behind = tcp.xmat.reshape(3, 3).T @ (thing.xpos - tcp.xpos)
        return Aim(round(self._sim.time, 3), round(float(-behind), 4), round(float(aside), 4))
