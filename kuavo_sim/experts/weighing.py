"""The demonstrator of task 2: belt → scale → bin."""

from __future__ import annotations

import numpy as np

from kuavo_sim.experts.base import Plan
from kuavo_sim.experts.parcel import HAND, LET_LIE, ParcelExpert
from kuavo_sim.scenes.conveyor import BIN_HEIGHT, TABLE_TOP
from kuavo_sim.scenes.weighing import weighs_right

BIN_YAW = -0.15
LONGEST_WEIGHING = 4.0
MOST_WAITS = 3
CLEAR_OF_PLATFORM = 0.012
"""A hand that waits is so much higher than one that grasps: if it sinks, it is not weighed [m]."""


class WeighingExpert(ParcelExpert):
    """Goes by the display: no weight shown, to the scale; its weight shown, to the bin."""

    def plan(self) -> Plan:
        """The loop over situations."""
        waits = 0
        while not self.scene.in_bin(self.sim) or self.holds:
            if self.out_of_reach:
                return
            if self.holds and self._weighed:
                yield from self._put_into_bin()
            elif self.holds:
                yield from self._put_on_scale()
            elif self._lies_on_scale and not self._weighed_alone and waits < MOST_WAITS:
                waits += 1
                if self._hands[1] > 0.0:
                    yield from self.open(HAND, 0.3)
                if self.is_around:  # touched by neither finger, the platform by none
                    yield from self.move_hand(HAND, self._around(CLEAR_OF_PLATFORM))
                yield from self.wait_until(lambda: self._weighed, LONGEST_WEIGHING)
                yield from self.wait(LET_LIE)
            else:
                waits = 0
                yield from self.pick()
        yield from self.retreat()

    @property
    def _weighed(self) -> bool:
        return weighs_right(self.scene)

    @property
    def _weighed_alone(self) -> bool:
        # what a finger leans on as well has no weight of its own
        return self._weighed and not self.scene.in_hand(self.sim)

    @property
    def _lies_on_scale(self) -> bool:
        # a parcel that leans on something else is put down anew
        elsewhere = any(self.scene.touches(self.sim, part) for part in ("scale", "table"))
        return self.scene.touches(self.sim, "scale_platform") and not elsewhere

    def _put_on_scale(self) -> Plan:
        scale = self.scene.scale
        x, y = np.array(scale.position[:2]) + self.rng.uniform(-0.008, 0.008, 2)
        place = np.array([x, y, scale.top + self.axes()[2] + 0.003])
        yield from self.carry(place, self.carry_yaw, above=0.05)
        if self.holds:
            yield from self.let_go()

    def _put_into_bin(self) -> Plan:
        x = self.scene.bin[0] + self.rng.uniform(0.0, 0.02)
        y = self.scene.bin[1] + self.rng.uniform(-0.004, 0.004)
        height = TABLE_TOP + max(self.axes()[2] + 0.012, BIN_HEIGHT + 0.002)
        yield from self.carry(np.array([x, y, height]), BIN_YAW, above=0.06)
        if self.holds:
            yield from self.release(up=0.06)
