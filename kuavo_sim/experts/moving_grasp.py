"""The demonstrator of task 1: belt → table → pushed into the marked area."""

from __future__ import annotations

import numpy as np

from kuavo_sim.experts.base import Plan
from kuavo_sim.experts.parcel import HAND, TIP_CLEARANCE, ParcelExpert
from kuavo_sim.scenes.conveyor import AREA_HALF, TABLE_TOP

CLAW_HALF = 0.013
"""Half the thickness of the closed claw [m]."""
GAP = 0.022
"""Between parcel and area after putting it down [m]."""
STRAIGHT = 0.035
"""A parcel this far off the area's middle line is put down anew instead of pushed [m]."""


class MovingGraspExpert(ParcelExpert):
    """Puts the parcel down right of the area, then pushes it to the left with the closed claw."""

    def plan(self) -> Plan:
        """The loop over situations."""
        while not self._done:
            if self.out_of_reach:
                return
            if self.holds:
                yield from self._put_beside_area()
            elif self._pushable:
                yield from self._push()
            else:
                yield from self.pick()
        yield from self.retreat()

    @property
    def _done(self) -> bool:
        return self.sim.progress.success

    @property
    def _pushable(self) -> bool:
        x, y, _ = self.parcel - [*self.scene.area, 0.0]
        return self.scene.touches(self.sim, "table") and abs(x) < STRAIGHT and -0.3 < y < -0.01

    def _put_beside_area(self) -> Plan:
        width, _, height = self.axes()
        x, y = self.scene.area
        y -= AREA_HALF + width + GAP + self.rng.uniform(0.0, 0.012)
        x += self.rng.uniform(-0.01, 0.01)
        place = np.array([x, y, TABLE_TOP + height + 0.003])
        yield from self.carry(place, self.carry_yaw, above=0.05)
        if self.holds:
            yield from self.release(up=2 * height)

    def _beside_scale(self, free: float) -> float:
        # room for the claw between parcel and display, however little there is
        return min(free - 0.008, self.scene.scale.left_edge + CLAW_HALF + 0.008)

    def _push(self) -> Plan:
        """Beside the parcel, close, down, and along the table until it is in the area."""
        yield from self.clear()
        reach, top = self.scene.reach_of_parcel(self.sim)[1], 2 * self.axes()[2]
        z = TABLE_TOP + TIP_CLEARANCE + self.rng.uniform(0.0, 0.006)
        beside = self.parcel
        free = beside[1] - reach - CLAW_HALF
        beside[1] = max(free - self.rng.uniform(0.024, 0.036), self._beside_scale(free))
        yield from self.move_hand(HAND, self.pose(np.array([*beside[:2], z + top]), 0.0))
        yield from self.close(HAND, 0.4)  # not earlier: the claw is around the parcel
        yield from self.move_hand(HAND, self.pose(np.array([*beside[:2], z]), 0.0), speed=0.2)
        end = self.scene.area[1] - reach - CLAW_HALF + self.rng.uniform(-0.012, 0.008)
        pushed = self.pose(np.array([beside[0], end, z]), 0.0)
        yield from self.move_hand(HAND, pushed, speed=0.11)
        back = self.pose(np.array([beside[0], end - 0.03, z]), 0.0)
        yield from self.move_hand(HAND, back, speed=0.12)
        if not self._done:
            yield from self.lift(top)
