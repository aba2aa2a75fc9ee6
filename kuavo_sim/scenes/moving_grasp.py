"""Task 1: take the object off the belt, put it on the table, push it into the marked area."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kuavo_sim.scenes.belt import BELT_TOP
from kuavo_sim.scenes.conveyor import TABLE_TOP, ConveyorRubric, ConveyorScene

if TYPE_CHECKING:
    from kuavo_sim.simulation import Simulation

LIFTED = 0.01
"""An object this far above the belt, in a hand, has left it [m]."""
SLIDES = 0.008
"""Lifted higher than this, an object is carried and no longer pushed [m]."""


class MovingGraspRubric(ConveyorRubric):
    """grasped → off_belt → on_table (put down clear of the area) → in_area (pushed there)."""

    task = "moving_grasp"
    stages = ("grasped", "off_belt", "on_table", "in_area")

    def __init__(self, scene: ConveyorScene) -> None:
        super().__init__(scene)
        self._pushed = False

    def update(self, sim: Simulation) -> None:
        """Remember whether the object came to where it is by sliding on the table."""
        scene = self.scene
        height = scene.position(sim)[2] - scene.parcel.half[2] - TABLE_TOP
        if scene.held(sim) or height > SLIDES:
            self._pushed = False
        elif scene.rests_on(sim, "table") and scene.clear_of_area(sim):
            self._pushed = True
        super().update(sim)

    def reached(self, stage: str, sim: Simulation) -> bool:
        """From grasps and contacts."""
        scene = self.scene
        if stage == "grasped":
            return scene.held(sim)
        if stage == "off_belt":
            height = scene.position(sim)[2] - scene.parcel.half[2] - BELT_TOP
            lifted = height > LIFTED or not scene.over_belt(sim)
            return scene.held(sim) and lifted and not scene.touches(sim, "belt")
        if stage == "on_table":
            return self.at_rest_on(sim, "table") and scene.clear_of_area(sim)
        return self._pushed and self.at_rest_on(sim, "table") and scene.in_area(sim)


class MovingGraspScene(ConveyorScene):
    """The parcel cell with task 1's rubric first."""

    task = "moving_grasp"
