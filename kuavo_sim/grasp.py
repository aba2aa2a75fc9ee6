"""Grasps, stabilized: a weld joins hand and object while both fingers press on it.

Contact alone lets objects creep out of two rigid pads within seconds. A weld is made only when
both pads of a hand have touched the same object for a while and the hand is told to close; it
ends when the hand is told to open or a pad loses the object.
"""

from __future__ import annotations

import mujoco
import numpy as np

from kuavo_sim.model.names import ROBOT_PADS, SIDES
from kuavo_sim.robot import Robot

HOLD_TIME = 0.06
"""Both pads must touch this long before the weld is made [s]."""
LOST_TIME = 0.15
"""The weld ends when a pad has lost the object for this long [s]."""
RELEASE = 0.04
"""The weld ends when the command is this much more open than at its making [closure]."""


def add_grasp_welds(spec: mujoco.MjSpec, objects: list[str]) -> None:
    """Prepare an inactive weld for each hand and graspable body."""
    for side in SIDES:
        for name in objects:
            weld = spec.add_equality(
                name=f"grasp_{side}_{name}",
                type=mujoco.mjtEq.mjEQ_WELD,
                objtype=mujoco.mjtObj.mjOBJ_BODY,
                name1=f"{side}_hand",
                name2=name,
                active=False,
            )
            weld.solref = [0.006, 1.0]


class GraspStabilizer:
    """Makes and ends the welds; call `update` once per physics step."""

    def __init__(
        self, model: mujoco.MjModel, data: mujoco.MjData, robot: Robot, objects: list[str]
    ) -> None:
        self._model, self._data, self._robot = model, data, robot
        self._objects = objects
        self._body_of = {model.body(name).id: name for name in objects}
        self._pads = {
            model.geom(pad).id: (side, i)
            for side in SIDES
            for i, pad in enumerate(ROBOT_PADS[side])
        }
        self._touching_since: dict[tuple[str, str], float] = {}
        self._last_touch: dict[tuple[str, str], float] = {}
        self._held: dict[str, str] = {}
        self._closure_at_grasp = dict.fromkeys(SIDES, 1.0)
        self._last_command = dict.fromkeys(SIDES, 0.0)

    def held_by(self, side: str) -> str | None:
        """The object that a hand holds, if any."""
        return self._held.get(side)

    def holder_of(self, name: str) -> tuple[str, ...]:
        """The hands that hold an object."""
        return tuple(side for side, held in self._held.items() if held == name)

    def update(self) -> None:
        """Look at the contacts of the last step; make and end welds."""
        now = self._data.time
        both = self._touched_by_both_pads()
        self._touching_since = {k: self._touching_since.get(k, now) for k in both}
        self._last_touch.update(dict.fromkeys(both, now))
        for i, side in enumerate(SIDES):
            command = float(self._robot.hand_command[i])
            held = self._held.get(side)
            if held is not None:
                self._closure_at_grasp[side] = max(self._closure_at_grasp[side], command)
                opened = command < self._closure_at_grasp[side] - RELEASE
                lost = now - self._last_touch[(side, held)] > LOST_TIME
                if opened or lost:
                    self._data.eq_active[self._weld(side, held)] = 0
                    del self._held[side]
            elif command >= self._last_command[side]:
                # an opening hand still presses at first; it must not grasp again
                self._try_grasp(i, command, now)
            self._last_command[side] = command

    def _try_grasp(self, hand: int, command: float, now: float) -> None:
        side = SIDES[hand]
        for name in self._objects:
            since = self._touching_since.get((side, name))
            if since is not None and now - since >= HOLD_TIME:
                if command < float(self._robot.hand_closures[hand]) + 0.01:
                    return
                self._make_weld(side, name)
                self._held[side] = name
                self._closure_at_grasp[side] = command
                return

    def _make_weld(self, side: str, name: str) -> None:
        weld = self._weld(side, name)
        hand, thing = self._data.body(f"{side}_hand"), self._data.body(name)
        rotation = hand.xmat.reshape(3, 3)
        relative_quat, inverse = np.empty(4), np.empty(4)
        mujoco.mju_negQuat(inverse, hand.xquat)
        mujoco.mju_mulQuat(relative_quat, inverse, thing.xquat)
        # eq_data of a weld: anchor in body 2 (3), pose of body 2 in body 1 (3 + 4), torque scale
        self._model.eq_data[weld, 0:3] = 0.0
        self._model.eq_data[weld, 3:6] = rotation.T @ (thing.xpos - hand.xpos)
        self._model.eq_data[weld, 6:10] = relative_quat
        self._data.eq_active[weld] = 1

    def _weld(self, side: str, name: str) -> int:
        return int(self._model.equality(f"grasp_{side}_{name}").id)

    def _touched_by_both_pads(self) -> set[tuple[str, str]]:
        touched: dict[tuple[str, str], set[int]] = {}
        contacts = self._data.contact
        for a, b in contacts.geom[: self._data.ncon].tolist():
            for pad, other in ((a, b), (b, a)):
                if pad in self._pads:
                    side, finger = self._pads[pad]
                    name = self._body_of.get(int(self._model.geom_bodyid[other]))
                    if name is not None:
                        touched.setdefault((side, name), set()).add(finger)
        return {key for key, fingers in touched.items() if len(fingers) == 2}
