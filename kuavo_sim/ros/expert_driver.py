"""The task's expert at the controls: what it would publish, step by step.

The expert decides ten times a second, as a policy does; in between, commands are the straight line
from one action to the next, a hundred times a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kuavo_deploy.robot import layout
from kuavo_sim.env import CONTROL_HZ
from kuavo_sim.experts import make_expert
from kuavo_sim.simulation import Simulation

COMMAND_HZ = 100
_EXPERT_STREAM = 1
"""The expert's own random stream beside the scene's."""


@dataclass(frozen=True)
class Command:
    """What is to be published now; None: nothing on that topic.

    arms: (14,) [rad]. hands: (2,) closures. walk: pose in the odom frame. stand: stop walking.
    in_force: the whole command that the robot has been given by now, (16,) or (20,) as an action;
    at the end of a control period it is that period's action.
    """

    arms: np.ndarray | None
    hands: np.ndarray
    in_force: np.ndarray
    walk: layout.Base | None = None
    stand: bool = False


class ExpertDriver:
    """Drives one simulation from its present moment; ask `command` after every physics step."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._expert = make_expert(sim, np.random.default_rng([sim.seed, _EXPERT_STREAM]))
        rate = round(1.0 / sim.timestep)
        self._steps_per_action = rate // CONTROL_HZ
        self._steps_per_command = rate // COMMAND_HZ
        self._step = 0
        self._from = self._expert.action()
        self._to = self._from
        self._walking_to: layout.Base | None = None

    @property
    def done(self) -> bool:
        """Is the plan through?"""
        return self._expert.done

    def command(self) -> Command | None:
        """What to publish at this physics step, if anything."""
        within = self._step % self._steps_per_action
        self._step += 1
        if within == 0:
            self._from, self._to = self._to, self._expert.act()
        elif within % self._steps_per_command:
            return None
        arms, hands, _ = layout.split(self._between(within + self._steps_per_command))
        base = layout.split(self._to).base if within == 0 else None
        walk, stand = self._walk(base)
        moving = self._walking_to is not None or self._sim.robot.walking
        return Command(None if moving else arms, hands, self._between(within), walk, stand)

    def _between(self, step: int) -> np.ndarray:
        """The command `step` physics steps into the control period."""
        return self._from + (self._to - self._from) * (step / self._steps_per_action)

    def _walk(self, base: layout.Base | None) -> tuple[layout.Base | None, bool]:
        if base is None:
            return None, False
        before = self._walking_to
        self._walking_to = base if base.move > layout.MOVE_THRESHOLD else None
        if self._walking_to is None:
            return None, before is not None
        return (base, False) if base != before else (None, False)
