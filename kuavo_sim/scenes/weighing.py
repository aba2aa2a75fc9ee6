"""Task 2: take the parcel off the belt, weigh it, take it again, put it into the storage bin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kuavo_sim.scenes.conveyor import ConveyorRubric, ConveyorScene
from kuavo_sim.scenes.scale import Reading

if TYPE_CHECKING:
    from kuavo_sim.simulation import Simulation

TOLERANCE = 5
"""The display agrees with the parcel's weight within this [g]."""


class WeighingRubric(ConveyorRubric):
    """grasped → on_scale (released on it) → weighed → re_grasped → in_bin (released in it)."""

    task = "weighing"
    stages = ("grasped", "on_scale", "weighed", "re_grasped", "in_bin")

    def reached(self, stage: str, sim: Simulation) -> bool:
        """From grasps, contacts and the scale's display."""
        scene = self.scene
        if stage == "grasped":
            return scene.held(sim)
        if stage == "on_scale":
            return self.at_rest_on(sim, "scale_platform")
        if stage == "weighed":
            return self.at_rest_on(sim, "scale_platform") and weighs_right(scene)
        if stage == "re_grasped":
            return scene.held(sim) and not scene.touches(sim, "scale_platform")
        return self.at_rest_on(sim, "bin") and scene.in_bin(sim)


def weighs_right(scene: ConveyorScene) -> bool:
    """Does the scale's display hold the parcel's weight?"""
    scale = scene.scale
    right = abs(scale.grams - 1000 * scene.parcel.mass) <= TOLERANCE
    return scale.reading is Reading.HOLDING and right


class WeighingScene(ConveyorScene):
    """The parcel cell with task 2's rubric first."""

    task = "weighing"
