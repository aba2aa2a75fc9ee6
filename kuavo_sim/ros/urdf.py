"""The robot's `/humanoid_description`: a URDF out of the simulated model and its limits.

Link names are the vendor's (`zarm_l1_link`, `zhead_1_link`, `leg_l1_link`, …), so that clients
find the joints. The legs of the simulated robot don't move: they are fixed joints without geometry.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

import mujoco
import numpy as np

from kuavo_deploy.robot.version import RobotLimits
from kuavo_sim.model.names import ARM_JOINTS, HEAD_JOINTS, SIDES

_LEG_JOINTS = 6


def robot_description(model: mujoco.MjModel, limits: RobotLimits) -> str:
    """The URDF as text.

    Args:
        model: the compiled simulation, whose joint ranges become the limits.
        limits: for the velocities, which the model does not have.
    """
    robot = ET.Element("robot", name="kuavo")
    ET.SubElement(robot, "link", name="base_link")
    for side in SIDES:
        parent = "base_link"
        for i in range(1, _LEG_JOINTS + 1):
            parent = _joint(robot, f"leg_{side}{i}", "fixed", parent)
    arms = iter(zip(ARM_JOINTS, limits.velocity, strict=True))
    for side in SIDES:
        parent = "base_link"
        for i in range(1, 8):
            name, velocity = next(arms)
            parent = _moving(robot, f"zarm_{side}{i}", parent, model, name, velocity)
    parent = "base_link"
    for i, name in enumerate(HEAD_JOINTS, start=1):
        parent = _moving(robot, f"zhead_{i}", parent, model, name, velocity=1.0)
    ET.indent(robot)
    return ET.tostring(robot, encoding="unicode")


def _moving(
    robot: ET.Element, name: str, parent: str, model: mujoco.MjModel, joint: str, velocity: float
) -> str:
    place = model.joint(joint)
    body = model.body(place.bodyid[0])
    # joints of one body share its origin, and a body without an offset sits in its parent's
    link = _joint(robot, name, "revolute", parent, body.pos, place.axis)
    low, high = place.range
    effort = model.actuator(joint).forcerange[1] or 100.0
    ET.SubElement(
        robot[-1], "limit",
        lower=repr(float(low)), upper=repr(float(high)),
        effort=repr(float(effort)), velocity=repr(float(velocity)),
    )  # fmt: skip
    return link


def _joint(
    robot: ET.Element,
    name: str,
    kind: str,
    parent: str,
    origin: np.ndarray | tuple[float, ...] = (0.0, 0.0, 0.0),
    axis: np.ndarray | None = None,
) -> str:
    """Add a link and the joint that carries it; the link's name."""
    link = f"{name}_link"
    ET.SubElement(robot, "link", name=link)
    joint = ET.SubElement(robot, "joint", name=f"{name}_joint", type=kind)
    ET.SubElement(joint, "origin", xyz=_numbers(origin), rpy="0 0 0")
    ET.SubElement(joint, "parent", link=parent)
    ET.SubElement(joint, "child", link=link)
    if axis is not None:
        ET.SubElement(joint, "axis", xyz=_numbers(axis))
    return link


def _numbers(values: np.ndarray | tuple[float, ...]) -> str:
    return " ".join(f"{value:.10g}" for value in values)
