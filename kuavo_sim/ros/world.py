"""A simulation that runs under outside command: its lock, its clock, its new beginnings."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import mujoco
import numpy as np

from kuavo_deploy.robot.end_effectors import EndEffector
from kuavo_deploy.robot.version import RobotLimits
from kuavo_sim.model.names import ARM_JOINTS, HEAD_JOINTS
from kuavo_sim.ros.body import Body
from kuavo_sim.ros.readings import Readings
from kuavo_sim.ros.refused import Refused
from kuavo_sim.simulation import Simulation

Listener = Callable[["World"], None]


class World:
    """The simulation, the commands in force, and time that only goes forward.

    Everything that touches it holds `lock`; `step` and `reset` take it themselves.

    Args:
        task: name of a scene. seed: of the scene.
        effector: what the hands' topics pretend to be.
        limits: of the robot's version; the model's joint ranges are set to them.
        velocity_timeout: see `Body` [s].

    Attributes:
        steps: physics steps since the node started, over all resets.
        refusals: how often a command was refused, by reason.
        listeners: called after each physics step, in its thread, with the lock held.
    """

    def __init__(
        self,
        task: str,
        seed: int,
        effector: EndEffector,
        limits: RobotLimits,
        velocity_timeout: float = 0.5,
    ) -> None:
        self.lock = threading.RLock()
        self.steps = 0
        self.refusals: Counter[str] = Counter()
        self.listeners: list[Listener] = []
        self._effector, self._limits, self._timeout = effector, limits, velocity_timeout
        self._begin(task, seed)

    def _begin(self, task: str, seed: int) -> None:
        self.sim = Simulation(task, seed)
        set_ranges(self.sim.model, self._limits)
        self.body = Body(self.sim, self._effector, self._timeout)
        self.readings = Readings(self.sim)

    @property
    def now(self) -> float:
        """Simulated time since the node started [s]; resets don't turn it back."""
        return self.steps * self.sim.timestep

    def step(self) -> None:
        """One physics step."""
        with self.lock:
            self.body.update(self.now)
            self.sim.step()
            self.steps += 1
            for listener in self.listeners:
                listener(self)

    def reset(self, task: str, seed: int) -> None:
        """A new scene; the robot is back at its start, in arm mode 1, unheld."""
        with self.lock:
            self.sim.close()
            self._begin(task, seed)

    def command(self, what: str, apply: Callable[[Body], None]) -> str | None:
        """Let a command act on the body.

        Args:
            what: the topic, for the reason.
            apply: the command.

        Returns:
            Why it was refused, or None.
        """
        with self.lock:
            try:
                self.body.check_free(what)
                apply(self.body)
            except Refused as refusal:
                # without the offending numbers: there are only so many reasons
                self.refusals[str(refusal).split(", got")[0]] += 1
                return str(refusal)
            return None


def set_ranges(model: mujoco.MjModel, limits: RobotLimits) -> None:
    """Make a robot version's limits the ranges of the model's arm and head joints and servos."""
    lower = np.concatenate([limits.lower, limits.head_lower])
    upper = np.concatenate([limits.upper, limits.head_upper])
    for name, low, high in zip(ARM_JOINTS + HEAD_JOINTS, lower, upper, strict=True):
        model.joint(name).range[:] = low, high
        model.actuator(name).ctrlrange[:] = low, high
