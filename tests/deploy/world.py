"""An executor with a clock that the test turns and a robot that follows (or does not)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kuavo_deploy.executor.base import Odometry
from kuavo_deploy.executor.epochs import Announcement
from kuavo_deploy.executor.executor import Commands, Executor
from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.robot import layout
from kuavo_deploy.robot.version import RobotLimits, load_limits
from kuavo_deploy.safety.checks import RawPlan
from kuavo_deploy.soak.bounds import Stream, outside, shares

ROOT = Path(__file__).resolve().parents[2]
LIMITS = load_limits(45, ROOT / "configs" / "robot")
MIDDLE = (LIMITS.lower + LIMITS.upper) / 2
STEP = 0.1


@dataclass
class World:
    """Time, a robot, and the executor between them.

    Attributes:
        now: [s]. arms: where the robot's arms are, shape (14,). follows: does it obey?
        sensing: do its sensors speak? sent: what the executor published, one entry per tick.
    """

    settings: ExecutorSettings = field(default_factory=ExecutorSettings)
    limits: RobotLimits = LIMITS
    postures: dict[str, np.ndarray] = field(default_factory=dict)
    now: float = 1000.0
    follows: bool = True
    sensing: bool = True
    shadow: bool = False

    def __post_init__(self) -> None:
        self.arms = MIDDLE.copy()
        self.hands = np.zeros(2)
        self.base = np.zeros(3)
        self.base_speed = 0.0
        self.walk_target: np.ndarray | None = None
        self.sent: list[Commands] = []
        self.executor = Executor(
            self.settings, self.limits, lambda: self.now,
            start_postures=self.postures, shadow=self.shadow,
        )  # fmt: skip
        self.number = 0
        self.sense()

    @property
    def state(self) -> str:
        return self.executor.supervisor.state.value

    def sense(self) -> None:
        """The sensors speak once."""
        joints = np.zeros(28)
        joints[layout.SENSOR_ARMS] = self.arms
        self.executor.on_joints(joints, np.zeros(28), self.now)
        self.executor.on_hands(self.hands, self.now)
        pose = tuple(float(v) for v in self.base)
        self.executor.on_odometry(Odometry(pose, self.base_speed, 0.0), self.now)  # type: ignore[arg-type]

    def tick(self, count: int = 1, late: float = 0.0) -> Commands:
        """Time goes on by `count` periods, each longer by `late` [s] (shorter, if negative)."""
        for _ in range(count):
            self.now += self.settings.period + late
            if self.sensing:
                self.sense()
            self.sent.append(self.executor.tick())
            self._obey(self.sent[-1])
        return self.sent[-1]

    def run(self, seconds: float) -> Commands:
        return self.tick(round(seconds / self.settings.period))

    def _obey(self, commands: Commands) -> None:
        if commands.arms is not None and self.follows:
            self.arms = commands.arms
        if commands.hands is not None:
            self.hands = commands.hands
        if commands.base is not None:
            self.walk_target = np.array(commands.base)
        self.base_speed = 0.0
        if self.walk_target is not None:
            gap = self.walk_target - self.base
            step = np.clip(gap, -0.004, 0.004)
            self.base = self.base + step
            self.base_speed = float(np.hypot(*step[:2])) / self.settings.period

    def switch(self, task: str = "weighing") -> str:
        """A new instruction is announced; returns what is acknowledged."""
        self.number += 1
        return self.executor.on_announcement(Announcement(self.epoch, task, f"do {task}"))

    @property
    def epoch(self) -> str:
        return f"test:{self.number}"

    def plan(self, arms: Any = None, steps: int = 20, **changes: Any) -> RawPlan:
        """A plan to arms, shape (14,) or (T, 14), as seen now."""
        rows = np.broadcast_to(self.arms if arms is None else arms, (steps, 14))
        actions = np.array([layout.join(row, np.zeros(2)) for row in rows])
        base = changes.pop("base", None)
        if base is not None:
            actions = np.hstack([actions, np.broadcast_to(base, (steps, 4))])
        values: dict[str, Any] = {
            "epoch": self.epoch,
            "stamp": self.now,
            "names": layout.action_names(actions.shape[1]),
            "times": STEP * np.arange(1, steps + 1),
            "positions": actions,
        }
        return RawPlan(**{**values, **changes})

    def running(self) -> World:
        """Enabled and executing a plan to where the arms are."""
        self.switch()
        assert self.executor.enable() == (True, "enabled")
        self.tick()
        assert self.executor.on_plan(self.plan()) is None
        self.tick()
        assert self.state == "run"
        return self

    def streams(self) -> list[Stream]:
        """The published arm commands, one per uninterrupted stretch."""
        stretches: list[list[Commands]] = [[]]
        last = -np.inf
        for commands in self.sent:
            if commands.arms is None or commands.stamp - last > self.settings.gap:
                stretches.append([])
            if commands.arms is not None:
                stretches[-1].append(commands)
            last = commands.stamp
        return [
            Stream(np.array([c.stamp for c in stretch]), np.array([c.arms for c in stretch]))
            for stretch in stretches
            if stretch
        ]


def assert_bounded(stream: Stream, limits: RobotLimits) -> None:
    """Position, velocity, acceleration and jerk of a stream that began at rest."""
    assert np.isfinite(stream.arms).all()
    assert outside(stream, limits) <= 1e-9
    worst = shares(stream, limits)
    assert max(worst.values()) <= 1 + 1e-6, worst
