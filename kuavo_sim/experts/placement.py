"""Right hand takes the front bottle, left hand takes it over and lays it down, label up.

Both hands hold the narrow sides. The right one points at the label's upper part; the left one
comes from below, so that it points down once the bottle lies and neither hand meets the other.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from scipy.spatial.transform import Rotation

from kuavo_deploy.robot.version import load_limits
from kuavo_sim.env import CONTROL_HZ
from kuavo_sim.experts.base import (
    REACHABLE,
    Expert,
    OutOfReach,
    Plan,
    between,
    minimum_jerk,
    pointing,
    rotation_angle,
)
from kuavo_sim.experts.ik import Goal
from kuavo_sim.experts.paths import minimum_jerk_samples
from kuavo_sim.scenes.bottle import Bottle
from kuavo_sim.scenes.placement import (
    AREA_THICKNESS,
    TABLE_TOP,
    PlacementScene,
    inside_area,
    label_tilt,
    still,
)
from kuavo_sim.simulation import Simulation
from kuavo_train.tasks.registry import configs_root

UPRIGHT = np.radians(15)
"""A bottle that leans less than this stands."""
_REACH_X, _REACH_Y = (0.26, 0.54), (-0.45, -0.10)
_LOOSE_TILT = (0.15, 0.03, 0.15)
"""Costs of a hand's orientation where its tilt matters little."""
_STAND_OFF = 0.12
"""The right hand stops this far before the bottle and looks [m]."""
_ASIDE = 0.02
"""A bottle farther than this from the middle of the open hand would be knocked over [m]."""
_STRAIGHT = 0.015
"""A hand this far or less from the straight way to the bottle just goes on [m]."""
_AT = 0.015
"""A hand this near to where it grasps the bottle closes [m]."""
_THERE, _ASKEW = 0.02, 0.2
"""A bottle or a hand so near to a pose on its way needs not go there first [m, rad]."""
_BEHIND = 0.13
"""The left hand comes from so far behind the bottle [m]."""
_OVER = 0.09
"""The bottle is brought so far above its place, then straight down [m]."""
_TRIES = 12
_PATH_STEP = 0.02
"""Hands' ways are solved at points this far apart [m]."""
_SPEED_SHARE = 0.75
"""Joints stay below this share of their velocity limits."""


class PlacementExpert(Expert):
    """Looks at what is where, does the next thing that helps, looks again."""

    orientation_cost = (0.15, 0.15, 0.15)

    def __init__(self, sim: Simulation, rng: np.random.Generator) -> None:
        super().__init__(sim, rng)
        scene = sim.scene
        assert isinstance(scene, PlacementScene)
        self._scene = scene
        self._start = scene.start_arms
        self._fastest = _SPEED_SHARE * load_limits(45, configs_root() / "robot").velocity
        # where this demonstrator likes to hold bottles, and how it tilts them
        self._below_shoulder = rng.uniform(0.015, 0.022)
        self._low = rng.uniform(0.040, 0.048)
        self._lean = np.radians(rng.uniform(14, 20))
        self._right_tilt = np.radians(rng.uniform(93, 98))
        self._left_tilt = np.radians(rng.uniform(126, 131))
        self._meet = np.array([0.32, 0.0, 0.97]) + rng.uniform(-0.015, 0.015, 3)

    def plan(self) -> Plan:
        for _ in range(_TRIES):
            try:
                if not (yield from self._next_thing()):
                    return
            except OutOfReach:
                yield from self.move_arms(self._start, 2.5)

    def _next_thing(self) -> Generator[np.ndarray, None, bool]:
        """Whatever the present situation asks for; False once there is nothing left to do."""
        if (bottle := self._in_hand("l")) is not None:
            yield from self._lay_down(bottle)
        elif (bottle := self._in_hand("r")) is not None:
            yield from self._hand_over(bottle)
        elif (bottle := self._lying()) is not None:
            if inside_area(self.sim, bottle, self._scene.area):
                yield from self._open_if_closed("l")
                yield from self._withdraw("l")
                return False
            yield from self._take_left(bottle)
        elif self._comes_to_rest():
            yield from self.wait(0.3)
        elif (bottle := self._front()) is not None:
            yield from self._take_right(bottle)
        else:
            return False
        return True

    def move_hands(self, goals: dict[str, Goal], speed: float = 0.25) -> Plan:
        """As in `Expert`, and slower wherever a joint would come near its velocity limit.

        Between start and end the hands may leave the straight way where an arm cannot follow it.

        Raises:
            OutOfReach: a hand would miss its goal by more than 3 cm.
        """
        starts = {side: self._ik.hand_pose(self._arms, side) for side in goals}
        length = max(
            float(np.linalg.norm(goal.position - starts[side][0]))
            + 0.12 * rotation_angle(starts[side][1], goal.rotation)
            for side, goal in goals.items()
        )
        steps = max(3, round(length / _PATH_STEP))
        path, error = [self._arms], 0.0
        for i in range(1, steps + 1):
            at = {side: between(starts[side], goal, i / steps) for side, goal in goals.items()}
            arms, error = self._ik.solve(path[-1], at)
            path.append(arms)
        if error > REACHABLE:
            where = {side: goal.position.round(3).tolist() for side, goal in goals.items()}
            raise OutOfReach(f"the arm misses {where} (base_link, m) by {error:.3f} m")
        seconds = np.full(steps, length / steps / (speed * self.tempo))
        for arms in minimum_jerk_samples(np.array(path), seconds, self._fastest):
            self._arms = arms
            yield self.action()

    # what is where

    def _in_hand(self, side: str) -> Bottle | None:
        if side == "r" and self.fooled:
            return self._front()
        held = self.sim.grasps.held_by(side)
        return next((b for b in self._scene.bottles if b.name == held), None)

    def _front(self) -> Bottle | None:
        """The standing bottle nearest to the table's front edge, within reach."""
        near = [(self._pose(b)[0][0], b) for b in self._scene.bottles if self._takeable(b)]
        return min(near, key=lambda pair: pair[0])[1] if near else None

    def _takeable(self, bottle: Bottle) -> bool:
        position, rotation = self._pose(bottle)
        yaw = np.arctan2(rotation[1, 0], rotation[0, 0])
        return bool(
            rotation[2, 2] > np.cos(UPRIGHT)
            and _REACH_X[0] < position[0] < _REACH_X[1]
            and _REACH_Y[0] < position[1] < _REACH_Y[1]
            and abs(yaw) < np.radians(50)
        )

    def _lying(self) -> Bottle | None:
        """A bottle that lies with its label up where the left hand can take it."""
        for bottle in self._scene.bottles:
            x, y, _ = self._pose(bottle)[0]
            if label_tilt(self.sim, bottle) < UPRIGHT and 0.12 < x < 0.5 and y > 0:
                return bottle
        return None

    def _comes_to_rest(self) -> bool:
        """Does a bottle still move that the left hand has let go?"""
        free = [b for b in self._scene.bottles if not self.sim.grasps.holder_of(b.name)]
        return any(self._pose(b)[0][1] > 0 and not still(self.sim, b.name) for b in free)

    def _pose(self, bottle: Bottle) -> tuple[np.ndarray, np.ndarray]:
        body = self.sim.data.body(bottle.name)
        return body.xpos + self.squint, body.xmat.reshape(3, 3).copy()

    # what to do

    def _take_right(self, bottle: Bottle) -> Plan:
        ahead = self._straight_ahead(bottle)
        if ahead is None:
            yield from self._come_before(bottle)
        elif ahead > _AT:
            yield from self._open_if_closed("r")
        if self._aside(bottle) > _ASIDE:
            return  # it has been moved meanwhile: look again
        yield from self._close_in(bottle)
        if self._aside(bottle) > _ASIDE:
            yield from self._withdraw("r")
            return
        yield from self._grip("r")
        if self._in_hand("r") is None:
            yield from self.open("r")
            yield from self._withdraw("r")

    def _come_before(self, bottle: Bottle) -> Plan:
        yield from self._open_if_closed("r")
        with self.from_afar():
            before = self._before_label(bottle, _STAND_OFF)
        yield from self.move_hand("r", before, speed=0.3)
        yield from self.get_straight(
            "r",
            lambda: self._before_label(bottle, _STAND_OFF),
            worth_it=lambda: self._takeable(bottle),
        )

    def _straight_ahead(self, bottle: Bottle) -> float | None:
        """How far the right hand still has to go straight on [m]; None: it has to come anew."""
        goal = self._before_label(bottle, 0.0)
        position, rotation = self._ik.hand_pose(self._arms, "r")
        back, *aside = (goal.rotation.T @ (position - goal.position))[[2, 0, 1]]
        straight = np.linalg.norm(aside) < _STRAIGHT and back < _STAND_OFF / 2
        straight &= rotation_angle(rotation, goal.rotation) < _ASKEW
        return max(0.0, float(back)) if straight else None

    def _close_in(self, bottle: Bottle) -> Plan:
        """Follow the bottle with the open hand until it is between the fingers, or beside them."""
        start = self._ik.hand_pose(self._arms, "r")
        left = float(np.linalg.norm(self._before_label(bottle, 0.0).position - start[0]))
        periods = max(1, round(0.9 * min(1.0, left / _STAND_OFF) / self.tempo * CONTROL_HZ))
        for i in range(1, periods + 1):
            if self._aside(bottle) > _ASIDE:
                return
            goal = self._before_label(bottle, 0.0)
            self.reach({"r": between(start, goal, minimum_jerk(i / periods))})
            yield self.action()

    def _before_label(self, bottle: Bottle, back: float) -> Goal:
        """The right hand about the upper part of a standing bottle, or `back` metres before it."""
        position, rotation = self._pose(bottle)
        hand = pointing(self._right_tilt, float(np.arctan2(rotation[1, 0], rotation[0, 0])))
        high = bottle.straight - self._below_shoulder
        return self.goal(position + [0, 0, high] + hand @ [0, 0, back], hand, _LOOSE_TILT)

    def _aside(self, bottle: Bottle) -> float:
        """How far a bottle is from the middle between the right hand's fingers, sideways [m]."""
        hand = self.sim.data.site("r_tcp")
        across = hand.xmat.reshape(3, 3)[:2, 1]
        return abs(float(across @ (self._pose(bottle)[0] - hand.xpos)[:2]))

    def _hand_over(self, bottle: Bottle) -> Plan:
        position, rotation = self._pose(bottle)
        if position[2] < TABLE_TOP + 0.08:
            yield from self._carry(bottle, "r", position + [0, 0, 0.1], rotation, 0.25)
        upright = Rotation.from_euler("y", self._lean).as_matrix()
        meeting = self._meet - upright @ [0, 0, self._low]
        off = np.linalg.norm(self._pose(bottle)[0] - meeting)
        askew = rotation_angle(self._pose(bottle)[1], upright)
        if off > _THERE or askew > _ASKEW or not self._is_behind(bottle):
            away = self._beside_left(meeting, upright, bottle, _BEHIND)
            yield from self._carry(bottle, "r", meeting, upright, 0.25, {"l": away})
        if self._in_hand("r") is None:
            return
        position, rotation = self._pose(bottle)
        yield from self.move_hand("l", self._beside_left(position, rotation, bottle), speed=0.18)
        yield from self._grip("l")
        if self._in_hand("l") is None:
            yield from self.open("l")
            yield from self.move_hand("l", self._beside_left(position, rotation, bottle, _BEHIND))
            return
        yield from self.open("r")
        yield from self._withdraw("r")

    def _is_behind(self, bottle: Bottle) -> bool:
        """Has the open left hand only to go straight on to a bottle that the right one holds?"""
        goal = self._beside_left(*self._pose(bottle), bottle)
        position, rotation = self._ik.hand_pose(self._arms, "l")
        aside, up, back = goal.rotation.T @ (position - goal.position)
        straight = np.hypot(aside, up) < _THERE and back < _BEHIND + _THERE
        return bool(straight and rotation_angle(rotation, goal.rotation) < _ASKEW)

    def _lay_down(self, bottle: Bottle) -> Plan:
        area = self._scene.area
        lying = Rotation.from_euler("ZY", [area.yaw, np.pi / 2]).as_matrix()
        height = TABLE_TOP + AREA_THICKNESS + bottle.half_depth
        base = np.array([area.x, area.y, height]) - lying @ [0, 0, bottle.length / 2]
        off, askew = self._pose(bottle)[0] - base, rotation_angle(self._pose(bottle)[1], lying)
        if np.linalg.norm(off[:2]) > _THERE or off[2] > _OVER + _THERE or askew > _ASKEW:
            yield from self._carry(bottle, "l", base + [0, 0, _OVER], lying, 0.25)
        yield from self._carry(bottle, "l", base + [0, 0, 0.003], lying, 0.12)
        yield from self.open("l")
        yield from self.wait(0.3)

    def _take_left(self, bottle: Bottle) -> Plan:
        yield from self._open_if_closed("l")
        yield from self._withdraw("l")
        yield from self.move_hand("l", self._beside_left(*self._pose(bottle), bottle, _BEHIND))
        yield from self.move_hand("l", self._beside_left(*self._pose(bottle), bottle), speed=0.15)
        yield from self._grip("l")

    def _withdraw(self, side: str) -> Plan:
        """Back off along the hand's own direction."""
        position, rotation = self._ik.hand_pose(self._arms, side)
        goal = Goal(position + rotation @ [0, 0, 0.12], rotation, self.orientation_cost)
        yield from self.move_hand(side, goal, speed=0.3)

    def _grip(self, side: str) -> Plan:
        yield from self.close(side, 0.5)
        yield from self.wait_until(lambda: self._in_hand(side) is not None, 0.4)

    def _open_if_closed(self, side: str) -> Plan:
        if self._hands["lr".index(side)] > 0.05:
            yield from self.open(side)

    def _beside_left(
        self, position: np.ndarray, rotation: np.ndarray, bottle: Bottle, back: float = 0.0
    ) -> Goal:
        """The left hand about the lower part of a bottle at a pose, or `back` metres behind."""
        hand = rotation @ pointing(self._left_tilt)
        # above the middle of the depth, so that the fingers clear the table when it lies
        depth = max(0.0, 0.033 - bottle.half_depth)
        at = position + rotation @ [-depth, 0, self._low] + hand @ [0, 0, back]
        return self.goal(at, hand)

    def _carry(
        self,
        bottle: Bottle,
        side: str,
        position: np.ndarray,
        rotation: np.ndarray,
        speed: float,
        others: dict[str, Goal] | None = None,
    ) -> Plan:
        """Move a held bottle to a pose in the world, as it lies in the hand."""
        tcp = self.sim.data.site(f"{side}_tcp")
        hand = tcp.xmat.reshape(3, 3)
        at, turned = self._pose(bottle)
        wanted = rotation @ turned.T @ hand
        point = position + rotation @ turned.T @ (tcp.xpos - at)
        goals = {side: self.goal(point, wanted), **(others or {})}
        yield from self.move_hands(goals, speed)
