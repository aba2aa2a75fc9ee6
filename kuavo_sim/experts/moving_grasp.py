"""The demonstrator of task 1: belt → table → pushed into the marked area."""

from __future__ import annotations

import numpy as np

from kuavo_sim.experts.base import Plan
from kuavo_sim.experts.ik import Goal
from kuavo_sim.experts.parcel import HAND, LET_LIE, ParcelExpert
from kuavo_sim.model.names import FINGER_STROKE
from kuavo_sim.scenes.conveyor import AREA_HALF, TABLE_TOP

HAND_HALF = 0.085
"""Half of what the open hand takes up sideways, with a margin [m]."""
STRAIGHT = 0.035
"""A parcel this far off the area's middle line is put down anew instead of pushed [m]."""
_LIES = 0.01
"""A parcel no higher than this above the table lies on it [m]."""


class MovingGraspExpert(ParcelExpert):
    """Puts the parcel down right of the area, opens, and pushes it to the left with a finger.

    The hand stays around the parcel from letting go to the end of the push: nothing has to be
    found a second time.
    """

    def plan(self) -> Plan:
        """The loop over situations."""
        while not self._done:
            if self.out_of_reach:
                return
            if self.holds:
                yield from self._put_beside_area()
            elif self._pushed and self._is_between:
                yield from self._leave()
            elif not self._pushable:
                yield from self.pick()
            elif self.is_around:
                yield from self._push()
            else:
                yield from self.get_around()
        yield from self.retreat()

    @property
    def _done(self) -> bool:
        return self.sim.progress.success

    @property
    def _pushable(self) -> bool:
        x, y, z = self.parcel - [*self.scene.area, TABLE_TOP]
        # not by contact, which comes and goes while it slides
        lies = z < self.axes()[2] + _LIES
        return bool(lies and abs(x) < STRAIGHT and -0.3 < y < -0.01)

    @property
    def _pushed(self) -> bool:
        off = (self.parcel - [*self.scene.area, 0.0])[:2]
        return bool(np.linalg.norm(off) < STRAIGHT)

    def _put_beside_area(self) -> Plan:
        *_, height = self.axes()
        x, y = self.scene.area
        # halfway between area and scale, where most may go wrong; the open hand needs room
        y = (y - AREA_HALF + self.scene.scale.left_edge) / 2 + self.rng.uniform(-0.006, 0.006)
        y = max(y, self.scene.scale.left_edge + HAND_HALF)
        x += self.rng.uniform(-0.01, 0.01)
        place = np.array([x, y, TABLE_TOP + height + 0.003])
        yield from self.carry(place, self.carry_yaw, above=0.05)
        if self.holds:
            yield from self.let_go()

    def _push(self) -> Plan:
        """Along the table with the open hand until the right finger has pushed it into the area."""
        hand = self._hand_goal()
        to = self.to_base(np.array([*self.scene.area, TABLE_TOP]))
        width, *_ = self.axes()
        # the finger is FINGER_STROKE right of the hand's middle
        left = to[1] + FINGER_STROKE - width + self.rng.uniform(-0.008, 0.008)
        end = np.array([hand.position[0], left, hand.position[2]])
        pushed = Goal(end, hand.rotation, hand.orientation_cost)
        yield from self.move_hand(HAND, pushed, speed=0.11)
        yield from self._leave()

    def _leave(self) -> Plan:
        """Touch the parcel with neither finger; go up where that is not enough."""
        yield from self.move_hand(HAND, self._around(), speed=0.12)
        yield from self.wait(LET_LIE)
        if not self._done:
            yield from self.lift(2 * self.axes()[2])
