"""Why did an arm not follow? Judged by what its joints felt, and by where the arm was."""

from __future__ import annotations

from typing import Any, NamedTuple

import mujoco
import numpy as np

from kuavo_deploy.robot.layout import ARM_JOINT_NAMES
from kuavo_sim.model.names import ARM_JOINTS, BASE_JOINTS
from kuavo_sim.simulation import Simulation

BEFORE = 0.5
"""What is looked at, up to the fault [s]."""
STRAINED = 0.5
"""Share of its servo's force from which a joint pushes in earnest: in the air it needs a tenth."""


class Felt(NamedTuple):
    """Sensors and commands of a time. at: shape (T,) [s]. measured, commanded: shape (T, 14) [rad].

    torque: shape (T, 14) [Nm]. base: x, y [m], yaw [rad].
    """

    at: np.ndarray
    measured: np.ndarray
    commanded: np.ndarray
    torque: np.ndarray
    base: tuple[float, float, float]


class Scene:
    """The simulated cell as it stands at the beginning: what an arm in a posture touches in it."""

    def __init__(self, task: str, seed: int = 0) -> None:
        self._sim = Simulation(task, seed)
        model = self._sim.model
        actuators = [model.actuator(name).id for name in ARM_JOINTS]
        self.strength: np.ndarray = model.actuator_forcerange[actuators, 1]
        """Of each arm joint, shape (14,) [Nm]."""

    def touched(self, arms: np.ndarray, base: tuple[float, float, float]) -> list[str]:
        """What touches the robot in a posture, shape (14,) [rad]: 'table on l_finger_in'.

        Objects are where they were at the beginning, the claws open.
        """
        model, data = self._sim.model, self._sim.data
        for names, values in ((ARM_JOINTS, arms), (BASE_JOINTS, base)):
            for name, value in zip(names, values, strict=True):
                data.joint(name).qpos = value
        mujoco.mj_forward(model, data)
        found = set()
        for contact in data.contact[: data.ncon]:
            roots = [int(model.body_rootid[model.geom_bodyid[geom]]) for geom in contact.geom]
            robot = int(model.body("base_link").id)
            if robot in roots:
                bodies = [model.body(model.geom_bodyid[geom]).name for geom in contact.geom]
                found.add(" on ".join(sorted(name or "the furniture" for name in bodies)))
        return sorted(found)

    def close(self) -> None:
        """Free it."""
        self._sim.close()


def blocked(felt: Felt, scene: Scene) -> dict[str, Any]:
    """Which joint did not follow, what it felt and what it touched.

    Returns:
        With `explained`: a joint of its arm pushed in earnest all that time, or touched something.
    """
    error = np.abs(felt.commanded[-1] - felt.measured[-1])
    joint = int(error.argmax())
    late = felt.at >= felt.at[-1] - BEFORE
    moved = float(np.ptp(felt.measured[late, joint]))
    strain = np.abs(felt.torque[late]).mean(axis=0) / scene.strength
    side = ARM_JOINT_NAMES[joint][:2]
    arm = [i for i, name in enumerate(ARM_JOINT_NAMES) if name.startswith(side)]
    hardest = max(arm, key=lambda i: strain[i])
    touches = [text for text in scene.touched(felt.measured[-1], felt.base) if side in text]
    return {
        "joint": ARM_JOINT_NAMES[joint],
        "from its command [rad]": round(float(error[joint]), 3),
        "moved in the last half second [rad]": round(moved, 3),
        "hardest push": f"{ARM_JOINT_NAMES[hardest]}, {strain[hardest]:.0%} of its servo's force",
        "touches": touches,
        "explained": bool(strain[hardest] >= STRAINED or touches),
    }
