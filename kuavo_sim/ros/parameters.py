"""The parameters that clients read from a Kuavo's parameter server."""

from __future__ import annotations

import mujoco

from kuavo_sim.model.names import BASE_HEIGHT
from kuavo_sim.ros.settings import Settings
from kuavo_sim.ros.urdf import robot_description

LEGGED = 2


def robot_parameters(settings: Settings, model: mujoco.MjModel) -> dict[str, object]:
    """By name; `model` is the compiled simulation with the robot version's joint ranges."""
    return {
        "/robot_version": settings.robot_version,
        "/robot_type": LEGGED,
        "/armRealDof": 14,
        "/headRealDof": 2,
        "/legRealDof": 12,
        "/waistRealDof": 0,
        "/end_effector_type": settings.effector.name,
        "/com_height": BASE_HEIGHT,
        "/humanoid_description": robot_description(model, settings.limits),
    }
