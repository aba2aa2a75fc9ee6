"""A scripted expert: a plan written as a generator of actions, one per control period.

A plan reads like the task: `yield from self.move_hand("r", above)`, `yield from self.grip("r")`.
It sees the simulation's true state; a policy sees only the observation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import numpy as np
from scipy.spatial.transform import Rotation

from kuavo_deploy.robot import layout
from kuavo_sim.env import CONTROL_HZ
from kuavo_sim.experts.ik import ArmIK, Goal
from kuavo_sim.model.names import BASE_HEIGHT
from kuavo_sim.simulation import Simulation
from kuavo_train.tasks import task_named

Plan = Generator[np.ndarray, None, None]
PERIOD = 1.0 / CONTROL_HZ
QUICKEST = 4
"""Periods of the shortest motion from rest to rest: in fewer the arms could not follow."""
REACHABLE = 0.03
"""A goal that the arm misses by more than this is out of reach [m]."""
LOOK = 0.3
"""So long it takes to see that the hand is straight before a thing [s]."""
STRAIGHTENING = 0.1
"""Speed of a hand that gets straight before a thing [m/s]."""
_CLOSED = 0.95
"""A hand that is told to close farther than this is taken for closed [closure]."""


class GivesUp(RuntimeError):
    """Whoever drives cannot go on; the message says why."""


class OutOfReach(GivesUp):
    """The arm cannot get where the plan wants it."""


def pointing(tilt: float, yaw: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Rotation (3, 3) of a hand that points down and forward.

    tilt: 0 straight down … π/2 forward; yaw: about the vertical, positive to the left;
    roll: about the direction in which it points. [rad]
    """
    return Rotation.from_euler("ZYZ", [yaw, -tilt, roll]).as_matrix()


class Expert(ABC):
    """Demonstrates one task.

    Args:
        sim: the simulation to act in.
        rng: human-like variation: speeds, heights, pauses, way points.
    """

    orientation_cost = (0.1, 0.1, 0.1)

    def __init__(self, sim: Simulation, rng: np.random.Generator) -> None:
        self.sim, self.rng = sim, rng
        self.done = False
        self.squint = np.zeros(3)
        """How far off it sees what it works with [m]; not zero makes it clumsy."""
        self.misjudged: Callable[[], np.ndarray] = lambda: np.zeros(3)
        """How far off it sees a thing from afar, asked once per approach [m]."""
        self.oblivious = False
        """Takes a closed right hand for a full one, as policies do."""
        self.tempo = float(rng.uniform(0.85, 1.2))
        """Speed of this demonstrator relative to the nominal one."""
        robot = sim.robot
        self._ik = ArmIK(sim.scene.start_arms)
        self._arms = robot.arm_command
        self._hands = robot.hand_command
        walks = task_named(sim.task).action_dim == layout.WALKING_ACTION_DIM
        self._base = layout.Base(*robot.base_pose) if walks else None
        self._plan = self.plan()

    @abstractmethod
    def plan(self) -> Plan:
        """The whole demonstration, recoveries included."""

    def act(self) -> np.ndarray:
        """The action for the coming control period; holds still once the plan is through."""
        try:
            return next(self._plan)
        except StopIteration:
            self.done = True
            return self.action()

    def action(self) -> np.ndarray:
        """The action vector of the present targets."""
        return layout.join(self._arms, self._hands, self._base)

    @property
    def fooled(self) -> bool:
        """Does it believe that it holds something, and the closed right hand is empty?"""
        empty = self.sim.grasps.held_by("r") is None
        return self.oblivious and empty and self._hands[1] > _CLOSED

    def misjudged_destination(self) -> np.ndarray:
        """How far off it sees, from afar, where a thing shall go: (3,) [m], never in height."""
        return self.misjudged() * [1.0, 1.0, 0.0]

    @contextmanager
    def from_afar(self) -> Iterator[None]:
        """While the hand is on its way to where it can see better, things are `misjudged`."""
        off = self.misjudged()
        self.squint = self.squint + off
        try:
            yield
        finally:
            self.squint = self.squint - off

    # building blocks of plans

    def wait(self, seconds: float) -> Plan:
        """Hold still."""
        for _ in range(max(1, round(seconds * CONTROL_HZ))):
            yield self.action()

    def wait_until(self, condition: Callable[[], bool], timeout: float) -> Plan:
        """Hold still until `condition()` or the timeout [s]."""
        for _ in range(round(timeout * CONTROL_HZ)):
            if condition():
                return
            yield self.action()

    def close(self, side: str, seconds: float = 0.6, closure: float = 1.0) -> Plan:
        """Close a hand in about `seconds`."""
        yield from self._hand_to(side, closure, seconds)

    def open(self, side: str, seconds: float = 0.5, closure: float = 0.0) -> Plan:
        """Open a hand in about `seconds`."""
        yield from self._hand_to(side, closure, seconds)

    def _hand_to(self, side: str, closure: float, seconds: float) -> Plan:
        index = "lr".index(side)
        start = self._hands[index]
        periods = max(1, round(seconds * CONTROL_HZ))
        for i in range(1, periods + 1):
            self._hands[index] = start + (closure - start) * i / periods
            yield self.action()

    def move_hands(self, goals: dict[str, Goal], speed: float = 0.25) -> Plan:
        """Move hands in straight lines to goals in base_link, starting and ending at rest.

        speed: mean speed of the hand with the longest way [m/s], scaled by the tempo.
        """
        starts = {side: self._ik.hand_pose(self._arms, side) for side in goals}
        length = max(
            float(np.linalg.norm(goal.position - starts[side][0]))
            + 0.12 * rotation_angle(starts[side][1], goal.rotation)
            for side, goal in goals.items()
        )
        periods = max(QUICKEST, round(length / (speed * self.tempo) * CONTROL_HZ))
        for i in range(1, periods + 1):
            part = minimum_jerk(i / periods)
            self.reach({s: between(starts[s], goal, part) for s, goal in goals.items()})
            yield self.action()

    def move_hand(self, side: str, goal: Goal, speed: float = 0.25) -> Plan:
        """`move_hands` for one hand."""
        yield from self.move_hands({side: goal}, speed)

    def track(self, side: str, goal: Callable[[], Goal], seconds: float) -> Plan:
        """Follow a moving goal, closing in on it within `seconds`."""
        start = self._ik.hand_pose(self._arms, side)
        periods = max(2, round(seconds * CONTROL_HZ))
        for i in range(1, periods + 1):
            self.reach({side: between(start, goal(), minimum_jerk(i / periods))})
            yield self.action()

    def get_straight(
        self, side: str, goal: Callable[[], Goal], worth_it: Callable[[], bool]
    ) -> Plan:
        """From where a thing was misjudged to be to where it is; the farther, the longer.

        Stops as soon as it is not `worth_it` any more: before `goal` is asked.
        """
        if not worth_it():
            return
        here, _ = self._ik.hand_pose(self._arms, side)
        off = float(np.linalg.norm(goal().position - here))
        follow = self.track(side, goal, (LOOK + off / STRAIGHTENING) / self.tempo)
        while worth_it() and (action := next(follow, None)) is not None:
            yield action

    def move_arms(self, arms: np.ndarray, seconds: float) -> Plan:
        """Move in joint space to a posture, shape (14,) [rad]."""
        start = self._arms
        periods = max(QUICKEST, round(seconds / self.tempo * CONTROL_HZ))
        for i in range(1, periods + 1):
            self._arms = start + (arms - start) * minimum_jerk(i / periods)
            yield self.action()

    def walk(self, x: float, y: float, yaw: float, timeout: float = 20.0) -> Plan:
        """Walk to a pose in the odom frame and wait until the robot stands."""
        self._base = layout.Base(x, y, yaw, 1.0)
        for _ in range(round(timeout * CONTROL_HZ)):
            yield self.action()
            if not self.sim.robot.walking:
                break
        self._base = layout.Base(x, y, yaw, 0.0)

    def reach(self, goals: dict[str, Goal]) -> None:
        """Set the arms' targets so that the hands are at `goals`.

        Raises:
            OutOfReach: a hand would miss its goal by more than 3 cm.
        """
        self._arms, error = self._ik.solve(self._arms, goals)
        if error > REACHABLE:
            where = {side: goal.position.round(3).tolist() for side, goal in goals.items()}
            raise OutOfReach(f"the arm misses {where} (base_link, m) by {error:.3f} m")

    def goal(
        self,
        position: np.ndarray,
        rotation: np.ndarray,
        cost: tuple[float, float, float] | None = None,
    ) -> Goal:
        """A goal at a world position (3,) [m]; rotation (3, 3) is relative to base_link."""
        return Goal(self.to_base(position), rotation, cost or self.orientation_cost)

    def to_base(self, position: np.ndarray) -> np.ndarray:
        """World position → base_link."""
        pose = self.sim.robot.base_pose
        turn = Rotation.from_euler("z", -pose.yaw)
        return turn.apply(np.asarray(position) - [pose.x, pose.y, BASE_HEIGHT])


def minimum_jerk(part: float) -> float:
    """Progress 0…1 of a minimum-jerk motion (Flash and Hogan 1985) at time 0…1."""
    return part**3 * (10 - 15 * part + 6 * part**2)


def between(start: tuple[np.ndarray, np.ndarray], goal: Goal, part: float) -> Goal:
    """The pose at `part` 0…1 of the straight way from a hand's position and rotation to a goal."""
    position = start[0] + (goal.position - start[0]) * part
    turn = Rotation.from_matrix(start[1].T @ goal.rotation).as_rotvec()
    rotation = start[1] @ Rotation.from_rotvec(turn * part).as_matrix()
    return Goal(position, rotation, goal.orientation_cost)


def rotation_angle(a: np.ndarray, b: np.ndarray) -> float:
    """Angle between two rotations (3, 3) [rad]."""
    return float(np.linalg.norm(Rotation.from_matrix(a.T @ b).as_rotvec()))
