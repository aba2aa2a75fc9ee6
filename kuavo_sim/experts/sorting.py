"""Shows sorting: to the flow rack, pick, turn around, to the placement rack, into the marked cell.

Every step is chosen from what is visible: where the robot stands before which rack, whether the
hand holds the workpiece, where the workpiece lies. So a disturbance only sends it to another step.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from kuavo_deploy.robot import layout
from kuavo_deploy.robot.version import load_limits
from kuavo_sim.env import CONTROL_HZ
from kuavo_sim.experts.base import PERIOD, REACHABLE, Expert, OutOfReach, Plan, pointing
from kuavo_sim.experts.ik import Goal
from kuavo_sim.model.names import FINGER_STROKE
from kuavo_sim.robot import Pose2D
from kuavo_sim.scenes.sorting import (
    BOX,
    READY_ARMS,
    WORK_SPOT,
    WORKPIECE,
    SortingScene,
    stand_before,
)
from kuavo_sim.simulation import Simulation
from kuavo_train.tasks.registry import configs_root

ATTEMPTS = 6
"""Picks and placings before it gives up."""
_HAND = "r"
_SPEED_SHARE = 0.7
"""Joints stay below this share of their velocity limits."""
_PEAK_OF_MEAN = 1.875
"""Peak over mean speed of a minimum-jerk motion."""
_SHORT_OF = 0.13
"""From here the hand goes straight to the workpiece, along its own axis [m]."""
_ABOVE_CELL = 0.12
"""The workpiece is brought so far above the cell, then straight down [m]."""
_MOVED = 0.02
"""A workpiece that is this far from where the hand expects it is not grasped [m]."""
_CLEAR = 0.24
"""Steps back this far from the flow rack before it turns [m]."""
_IN_VIEW = 1.0
"""The placement rack is in the head camera's view when the heading is this near to it [rad]."""
_NEAR_ENOUGH = 0.08
"""Who stands so near to the place before the placement rack goes no farther [m, rad]."""
_COMFORT = (0.13, 0.14)
"""Largest distance of the work from the best spot, ahead and aside, without a side step [m]."""


class SortingExpert(Expert):
    """Works with the right hand; the left one stays where it is."""

    def __init__(self, sim: Simulation, rng: np.random.Generator) -> None:
        assert isinstance(sim.scene, SortingScene)
        self._scene: SortingScene = sim.scene
        self._lift = float(rng.uniform(0.09, 0.13))
        self._drop = float(rng.uniform(0.002, 0.007))
        self._stand_offset = rng.normal(0.0, [0.008, 0.008, 0.008]).clip(-0.015, 0.015)
        self._back_off = float(rng.uniform(0.36, 0.46))
        self._carry = READY_ARMS + rng.uniform(-0.03, 0.03, 14)
        limits = load_limits(45, configs_root() / "robot")
        self._step_limit = limits.velocity * PERIOD * _SPEED_SHARE
        super().__init__(sim, rng)
        self._tilt, self._grasp_height = self._some_grip()
        self._carry[:7] = self._arms[:7]

    def plan(self) -> Plan:
        """Pick, carry, place; whichever is due, until the rubric is satisfied."""
        for _ in range(ATTEMPTS):
            if self.sim.progress.success:
                return
            if not self._holds():
                if not self._within_arms_height():
                    return
                yield from self._stand_before_piece()
                yield from self._pick()
            if self._holds():
                yield from self._walk_to_placement()
                yield from self._place()

    # what it sees

    def _holds(self) -> bool:
        return self.sim.grasps.held_by(_HAND) == WORKPIECE or self.fooled

    def _piece(self) -> tuple[np.ndarray, Rotation]:
        body = self.sim.data.body(WORKPIECE)
        return body.xpos + self.squint, Rotation.from_matrix(body.xmat.reshape(3, 3))

    def _within_arms_height(self) -> bool:
        return 0.6 < float(self._piece()[0][2]) < 1.2

    def _piece_in_box(self) -> bool:
        return float(np.linalg.norm(self._piece()[0] - self.sim.data.body(BOX).xpos)) < 0.35

    def _piece_yaw(self) -> float:
        """Turn of the workpiece's nearest side against the robot's heading, in ±45° [rad]."""
        axes = self._piece()[1].as_matrix()
        flat = axes[:, int(np.argmin(np.abs(axes[2])))]
        yaw = math.atan2(flat[1], flat[0]) - self.sim.robot.base_pose.yaw
        return math.remainder(yaw, math.pi / 2)

    # walking

    def _walk_while(self, goal: Callable[[], Pose2D]) -> Plan:
        """Walk to a pose that may change on the way; the arms hold."""
        self._arms = self.sim.robot.arm_command
        for _ in range(25 * CONTROL_HZ):
            self._base = layout.Base(*goal(), 1.0)
            yield self.action()
            if not self.sim.robot.walking:
                break
        assert self._base is not None
        self._base = self._base._replace(move=0.0)

    def _stand_before_piece(self) -> Plan:
        pose = self._box_pose() if self._piece_in_box() else self._scene.flow_pose
        stand = self._varied(stand_before(pose))
        stand = _shifted(stand, self._beyond_comfort(stand))
        here = self.sim.robot.base_pose
        if np.abs(np.subtract(stand, here)).max() > 0.03:
            if np.abs(self._arms - self._carry).max() > 0.1:
                yield from self._swing(self._carry, 1.0)
            yield from self._walk_while(lambda: stand)

    def _beyond_comfort(self, stand: Pose2D) -> np.ndarray:
        """How far ahead and to the left the workpiece lies out of the hand's comfortable zone."""
        position = self._piece()[0]
        away = Rotation.from_euler("z", -stand.yaw).apply(position - [stand.x, stand.y, 0.0])
        offset = away[:2] - WORK_SPOT
        return offset - np.clip(offset, np.negative(_COMFORT), _COMFORT)

    def _walk_to_placement(self) -> Plan:
        flow = stand_before(self._scene.flow_pose)
        place = self._varied(stand_before(self._box_pose()))
        turn_at = _shifted(flow, np.array([-self._back_off, 0.0]))

        def goal() -> Pose2D:
            here = self.sim.robot.base_pose
            if math.hypot(here.x - flow.x, here.y - flow.y) < _CLEAR:
                return turn_at
            if abs(here.yaw - place.yaw) > _IN_VIEW:
                return turn_at._replace(yaw=place.yaw)
            return place

        here = self.sim.robot.base_pose
        if np.abs(np.subtract(place, here)).max() > _NEAR_ENOUGH:
            yield from self._walk_while(goal)

    def _varied(self, stand: Pose2D) -> Pose2D:
        return Pose2D(*np.add(stand, self._stand_offset))

    def _box_pose(self) -> Pose2D:
        body = self.sim.data.body(BOX)
        x_axis = body.xmat.reshape(3, 3)[:, 0]
        return Pose2D(float(body.xpos[0]), float(body.xpos[1]), math.atan2(x_axis[1], x_axis[0]))

    # moving the arm

    def reach(self, goals: dict[str, Goal]) -> None:
        """As every expert's, within the joints' speed: what is missing is made up for later."""
        before = self._arms
        super().reach(goals)
        change = self._arms - before
        excess = float(np.max(np.abs(change) / self._step_limit))
        self._arms = before + change / max(1.0, excess)

    def _swing_to(self, goal: Goal, speed: float) -> Plan:
        """Move in joint space to a goal of the hand: for long ways in the free."""
        arms, error = self._ik.solve(self._arms, {_HAND: goal}, iterations=150)
        if error > REACHABLE:
            where = goal.position.round(3).tolist()
            raise OutOfReach(f"the arm misses {where} (base_link, m) by {error:.3f} m")
        start, _ = self._ik.hand_pose(self._arms, _HAND)
        way = float(np.linalg.norm(goal.position - start))
        yield from self._swing(arms, way / speed)

    def _swing(self, arms: np.ndarray, seconds: float) -> Plan:
        """Move in joint space to a posture in `seconds`, or as long as the joints need."""
        periods = float(np.max(np.abs(arms - self._arms) / self._step_limit)) * _PEAK_OF_MEAN
        yield from self.move_arms(arms, max(seconds, periods * PERIOD * self.tempo))

    # picking

    def _pick(self) -> Plan:
        """Take the workpiece; where that fails, end above it with the hand open."""
        try:
            if self._piece_in_box():  # no room to come from aside
                yield from self._swing_to(self._grasp(_SHORT_OF), speed=0.28)
                yield from self.open(_HAND, 0.2, self._ajar())
            else:
                yield from self._come_before_piece()
            yield from self._approach(speed=0.16)
        except OutOfReach:  # it was moved away: walk to where it is now
            pass
        if self._at_grasp():
            yield from self.close(_HAND, 0.5)
            yield from self.wait_until(self._holds, 0.3)
        if self._holds():
            yield from self._raise(self._lift)
            yield from self._swing(self._carry, 1.2)
            return
        yield from self.open(_HAND, 0.3)
        yield from self._draw_back(_SHORT_OF)
        self._tilt, self._grasp_height = self._some_grip()

    def _come_before_piece(self) -> Plan:
        with self.from_afar():
            before = self._grasp(_SHORT_OF)
        yield from self._swing_to(before, speed=0.28)
        begin, _ = self._piece()
        yield from self.get_straight(
            _HAND, lambda: self._grasp(_SHORT_OF), worth_it=lambda: not self._moved(begin)
        )

    def _some_grip(self) -> tuple[float, float]:
        """Tilt of the hand [rad] and height above the workpiece's middle [m]: never the same."""
        return math.radians(self.rng.uniform(48, 60)), float(self.rng.uniform(-0.004, 0.006))

    def _ajar(self) -> float:
        """Closure that leaves 1.5 cm on each side of the workpiece: for narrow places."""
        width = 2 * float(self._scene.piece_half[0]) + 0.03
        return max(0.0, 1 - width / (2 * FINGER_STROKE))

    def _approach(self, speed: float) -> Plan:
        """Bring the open hand around the workpiece; stop when that is moved away meanwhile."""
        begin, _ = self._piece()
        follow = self.track(_HAND, lambda: self._grasp(0.0), _SHORT_OF / (speed * self.tempo))
        while not self._moved(begin):
            action = next(follow, None)
            if action is None:
                return
            yield action

    def _moved(self, begin: np.ndarray) -> bool:
        """Has the workpiece been moved from where it was?"""
        return bool(np.linalg.norm(self._piece()[0] - begin) >= _MOVED)

    def _at_grasp(self) -> bool:
        position, _ = self._ik.hand_pose(self._arms, _HAND)
        return float(np.linalg.norm(self._grasp(0.0).position - position)) < _MOVED

    def _draw_back(self, distance: float) -> Plan:
        """Retreat from what is between the fingers, along the hand's own axis."""
        position, rotation = self._ik.hand_pose(self._arms, _HAND)
        goal = Goal(position + distance * rotation[:, 2], rotation, (0.1,) * 3)
        yield from self.move_hand(_HAND, goal)

    def _grasp(self, distance: float) -> Goal:
        rotation = pointing(self._tilt, self._piece_yaw())
        goal = self.goal(self._piece()[0] + [0, 0, self._grasp_height], rotation)
        return Goal(goal.position + distance * rotation[:, 2], rotation, self.orientation_cost)

    def _raise(self, height: float) -> Plan:
        position, rotation = self._ik.hand_pose(self._arms, _HAND)
        goal = Goal(position + [0, 0, height], rotation, (0.05,) * 3)
        yield from self.move_hand(_HAND, goal, speed=0.2)

    # placing

    def _place(self) -> Plan:
        off = self.misjudged_destination()
        yield from self._swing_to(self._placing(_ABOVE_CELL, off), speed=0.28)
        yield from self.get_straight(_HAND, lambda: self._placing(_ABOVE_CELL), self._holds)
        if not self._holds():
            return
        yield from self.move_hand(_HAND, self._placing(self._drop), speed=0.15)
        yield from self.open(_HAND, 0.4, self._ajar())
        yield from self._draw_back(_SHORT_OF)
        yield from self.open(_HAND, 0.3)
        yield from self.wait_until(lambda: self.sim.progress.success, 1.0)

    def _placing(self, above: float, off: np.ndarray | float = 0.0) -> Goal:
        """Where the hand puts the workpiece upright and square in the marked cell.

        above: the cell [m]. off: it takes the cell to be so far from where that is, (3,) [m].
        """
        position, piece = self._piece()
        base = Rotation.from_euler("z", self.sim.robot.base_pose.yaw)
        offset, hand = self._ik.hand_pose(self.sim.robot.arm_positions, _HAND)
        held_at = hand.T @ (self.to_base(position) - offset)
        rotation = self._upright(hand, (base.inv() * piece).as_matrix())
        floor = self._scene.cell_position(self.sim) + off
        target = self.to_base(floor + [0, 0, self._scene.piece_half[2] + above])
        return Goal(target - rotation @ held_at, rotation, (0.2,) * 3)

    def _upright(self, hand: np.ndarray, piece: np.ndarray) -> np.ndarray:
        """The hand's rotation that makes the piece stand, its sides along the box's."""
        if piece[2, 2] < math.cos(math.radians(35)):
            return pointing(self._tilt)
        cell = math.remainder(self._box_pose().yaw - self.sim.robot.base_pose.yaw, math.tau)
        turns = [Rotation.from_euler("z", cell + k * math.pi / 2).as_matrix() for k in range(4)]
        candidates = [turn @ piece.T @ hand for turn in turns]
        return min(candidates, key=lambda r: abs(math.atan2(-r[1, 2], -r[0, 2])))


def _shifted(pose: Pose2D, by: np.ndarray) -> Pose2D:
    """A pose moved by `by` (ahead, left) [m] in its own frame."""
    c, s = math.cos(pose.yaw), math.sin(pose.yaw)
    return Pose2D(pose.x + c * by[0] - s * by[1], pose.y + s * by[0] + c * by[1], pose.yaw)
