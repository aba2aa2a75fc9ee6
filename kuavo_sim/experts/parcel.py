"""What both demonstrations of the parcel cell share: catching, carrying and releasing a parcel.

A demonstration is a loop that looks where the parcel is and does what that asks for, so that a
missed grasp, a slip or a push from outside is answered like any other situation.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from kuavo_sim.experts.base import PERIOD, Expert, Plan, minimum_jerk, pointing
from kuavo_sim.experts.ik import Goal
from kuavo_sim.model.names import BASE_HEIGHT, FINGER_STROKE
from kuavo_sim.scenes.conveyor import TABLE_TOP, ConveyorScene
from kuavo_sim.scenes.parcel import PARCEL
from kuavo_sim.simulation import Simulation

HAND = "r"
LEAD = PERIOD + 0.03
"""The parcel is aimed at where it will be this much later: a period, and the arm's lag [s]."""
READY_Y = -0.10
"""The hand waits here for the parcel to come [m]."""
LAST_Y = -0.47
"""Past this the arm cannot follow the parcel [m]."""
TIP_CLEARANCE = 0.027
"""The pads' tips reach this far below the tool centre point, with a margin [m]."""
_BESIDE, _LOW = 0.15, 0.01
"""So near to the parcel, and so much lower than to clear it, a hand goes up before aside [m]."""
AROUND = 0.03
"""A parcel this far or less ahead of the open hand's middle is between its fingers [m]."""
OVER = 0.015
"""A hand or what it carries, this near to straight over its goal, goes straight down [m]."""
LET_LIE = 0.4
"""So long the hand stays open around a parcel that it has let go, to see it at rest [s]."""
WIDEST_GRIP = 0.045
"""Half of the widest side that fits between the open fingers [m]."""


class ParcelExpert(Expert):
    """Building blocks for the parcel; subclasses say what to do with it."""

    def __init__(self, sim: Simulation, rng: np.random.Generator) -> None:
        assert isinstance(sim.scene, ConveyorScene)
        self.scene = sim.scene
        self.tilt = np.radians(rng.uniform(59, 65))
        self.hover = float(rng.uniform(0.030, 0.045))
        self.grasp_shift = float(rng.uniform(-0.008, 0.008))
        self.carry_yaw = float(rng.uniform(-0.10, 0.10))
        super().__init__(sim, rng)

    # what it sees

    @property
    def parcel(self) -> np.ndarray:
        """The parcel's middle, (3,) [m]."""
        return self.scene.position(self.sim) + self.squint

    @property
    def holds(self) -> bool:
        """Is the parcel in the hand?"""
        return self.sim.grasps.held_by(HAND) == PARCEL or self.fooled

    @property
    def on_belt(self) -> bool:
        """Does the belt carry the parcel?"""
        return self.scene.touches(self.sim, "belt")

    @property
    def is_around(self) -> bool:
        """Is the parcel, at rest, between the fingers of the open hand?"""
        return self._is_between and self._hands[1] < 0.1 and not self.on_belt

    @property
    def _is_between(self) -> bool:
        hand, parcel = self._hand_goal(), self.to_base(self.parcel)
        low = hand.position[2] < parcel[2] + self.axes()[2]
        # a low hand's finger is not inside the parcel: it may push it, but has it beside itself
        off, across = (parcel - hand.position)[:2], hand.rotation[:2, 1]
        towards_finger = abs(float(off @ across))
        ahead = np.sqrt(max(0.0, off @ off - towards_finger**2))
        return bool(low and towards_finger < FINGER_STROKE and ahead < AROUND)

    @property
    def _aside(self) -> float:
        """How far the hand is from straight over the parcel [m]."""
        return float(np.linalg.norm((self._hand_goal().position - self.to_base(self.parcel))[:2]))

    @property
    def out_of_reach(self) -> bool:
        """Has the belt carried the parcel past the arm, or has it fallen?"""
        x, y, z = self.parcel
        return (self.scene.over_belt(self.sim) and y < LAST_Y) or z < TABLE_TOP or y < LAST_Y - 0.25

    def axes(self) -> tuple[float, float, float]:
        """Half width that the hand can grip, direction of the hand for it [rad], half height."""
        rotation = self.sim.data.body(PARCEL).xmat.reshape(3, 3)
        half = np.array(self.scene.parcel.half)
        upright = int(np.argmax(np.abs(rotation[2])))
        choices = []
        for axis in (i for i in range(3) if i != upright):
            across = rotation[:2, axis]
            # the hand closes along this axis: it points a quarter turn to the right of it
            yaw = _within_quarter(np.arctan2(across[1], across[0]) - np.pi / 2)
            wide = half[axis] > WIDEST_GRIP
            choices.append((wide, abs(yaw + 0.1 if yaw < 0 else yaw), half[axis], yaw))
        _, _, width, yaw = min(choices)
        return float(width), float(np.clip(yaw, -0.65, 0.65)), float(half[upright])

    # what it does

    def pick(self) -> Plan:
        """Open, get the hand around the parcel, close, lift. May fail: look after."""
        if not self._is_between:
            yield from self.get_around()
        elif self._hands[1] < 0.1:
            yield from self.track(HAND, self._around, self._seconds(0.3))
        if self.out_of_reach:
            return
        yield from self._close_moving(self._around(), self._seconds(0.5))
        yield from self.lift(0.07)
        if not self.holds:
            yield from self.open(HAND, 0.3)

    def get_around(self) -> Plan:
        """Open, follow the parcel from above, go down on it."""
        if self._aside > OVER:
            yield from self._get_over()
        self._hands[1] = 0.0
        if self.out_of_reach:
            return
        down = abs(self._around().position[2] - self._hand_goal().position[2])
        yield from self.track(HAND, self._around, self._seconds(min(0.9, 0.2 + down / 0.07)))

    def _get_over(self) -> Plan:
        yield from self.clear()
        self._hands[1] = 0.0
        with self.from_afar():
            yield from self.track(HAND, self._above, self._seconds(1.5))
        yield from self.get_straight(HAND, self._above, lambda: not self.out_of_reach)
        while self.parcel[1] > self._ready_y() + 0.01 and self.on_belt:
            self.reach({HAND: self._above()})
            yield self.action()
            if self.out_of_reach:
                return

    def clear(self) -> Plan:
        """Straight up, where the hand is so low by the parcel that going aside would push it."""
        hand, parcel = self._hand_goal().position, self.to_base(self.parcel)
        above = parcel[2] + self.axes()[2] + TIP_CLEARANCE
        near = np.linalg.norm((hand - parcel)[:2]) < _BESIDE
        if not self.holds and near and hand[2] < above - _LOW:
            yield from self.lift(above - hand[2])

    def lift(self, height: float) -> Plan:
        """Straight up by `height` [m]."""
        goal = self._hand_goal()
        up = Goal(goal.position + [0, 0, height], goal.rotation, goal.orientation_cost)
        yield from self.move_hand(HAND, up, speed=0.16)

    def carry(self, to: np.ndarray, yaw: float, above: float, speed: float = 0.22) -> Plan:
        """Bring the held parcel's middle over `to`, then down to it; stops when it is lost."""
        over = to + [0, 0, above]
        about = over + self.misjudged_destination()

        def hand_at(place: np.ndarray) -> Goal:
            return self.goal(*self._hand_for(place, yaw))

        parts = [
            lambda: self.move_hand(HAND, hand_at(about), speed),
            lambda: self.get_straight(HAND, lambda: hand_at(over), lambda: self.holds),
            lambda: self.move_hand(HAND, hand_at(to), 0.16),
        ]
        is_over = np.linalg.norm((self.parcel - to)[:2]) < OVER and self.parcel[2] < over[2] + OVER
        for part in parts[-1:] if is_over else parts:
            for action in part():
                if not self.holds:
                    return
                yield action

    def let_go(self) -> Plan:
        """Open wide and stay, the parcel between the fingers, touched by neither."""
        yield from self.open(HAND, self._seconds(0.4))
        yield from self.wait(LET_LIE)

    def release(self, up: float) -> Plan:
        """Open just wide enough and go up."""
        width, *_ = self.axes()
        free = (width + 0.017) / FINGER_STROKE
        yield from self.open(HAND, self._seconds(0.4), closure=max(0.0, 1 - free))
        yield from self.wait(0.1)
        yield from self.lift(up)

    def retreat(self) -> Plan:
        """Up and out of the way."""
        hand = self._hand_goal()
        position = hand.position + [0.0, 0.0, max(0.0, 0.07 - hand.position[2])]
        yield from self.move_hand(HAND, Goal(position, hand.rotation, hand.orientation_cost))

    # where the hand has to be

    def pose(self, position: np.ndarray, yaw: float) -> Goal:
        """A hand with this demonstrator's tilt at a world position (3,) [m]."""
        return self.goal(position, pointing(self.tilt, yaw))

    def _around(self, higher: float = 0.0) -> Goal:
        _, yaw, height = self.axes()
        position = self._soon()
        floor = position[2] - height
        position[2] = max(position[2], floor + TIP_CLEARANCE) + higher
        along = self.grasp_shift * np.array([np.cos(yaw), np.sin(yaw), 0.0])
        return self.pose(position + along, yaw)

    def _above(self) -> Goal:
        _, yaw, height = self.axes()
        position = self._soon()
        position[2] += height + TIP_CLEARANCE + self.hover
        if self.on_belt:
            position[1] = min(position[1], self._ready_y())
        return self.pose(position, yaw)

    def _ready_y(self) -> float:
        # a hand turned to the right reaches less far to the left
        _, yaw, _ = self.axes()
        return READY_Y - 0.2 * max(0.0, -yaw)

    def _soon(self) -> np.ndarray:
        return self.parcel - [0.0, self.scene.belt.speed * LEAD * self.on_belt, 0.0]

    def _close_moving(self, start: Goal, seconds: float) -> Plan:
        # the fingers hide where the parcel is: keep pace with the belt
        drift = np.array([0.0, -self.scene.belt.speed * self.on_belt, 0.0])
        periods = max(2, round(seconds / PERIOD))
        for i in range(1, periods + 1):
            position = start.position + drift * (i * PERIOD)
            self.reach({HAND: Goal(position, start.rotation, start.orientation_cost)})
            self._hands[1] = max(self._hands[1], minimum_jerk(i / periods))
            yield self.action()

    def _hand_goal(self) -> Goal:
        position, rotation = self._ik.hand_pose(self._arms, HAND)
        return Goal(position, rotation, self.orientation_cost)

    def _hand_for(self, parcel: np.ndarray, yaw: float) -> tuple[np.ndarray, np.ndarray]:
        """World position and rotation of the hand that bring the held parcel to a place."""
        measured, rotation = self._ik.hand_pose(self.sim.robot.arm_positions, HAND)
        in_hand = rotation.T @ (self.parcel - [0, 0, BASE_HEIGHT] - measured)
        # keep the tilt at which it was taken, so that it comes down level
        forward = -rotation[:, 2]
        turn = Rotation.from_euler("z", yaw - np.arctan2(forward[1], forward[0])).as_matrix()
        wanted = turn @ rotation
        return parcel - wanted @ in_hand, wanted

    def _seconds(self, nominal: float) -> float:
        return nominal / self.tempo


def _within_quarter(angle: float) -> float:
    """The same line's direction within ±90° [rad]."""
    return float((angle + np.pi / 2) % np.pi - np.pi / 2)
