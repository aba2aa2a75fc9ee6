"""Inverse kinematics of both arms, in the robot's own frame, with mink.

Frames: `base_link` (x forward, y left, z up, origin 0.82 m above the floor). A hand points along
its −z axis and closes along its y axis; its tool centre point (tcp) lies between the pads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mink
import mujoco
import numpy as np

from kuavo_sim.model.names import ARM_JOINTS, BASE_HEIGHT, ROBOT_XML

SOLVER = "daqp"
_STEP = 0.1
_DAMPING = 1e-3
_ARMS = {"l": slice(0, 7), "r": slice(7, 14)}


@dataclass(frozen=True)
class Goal:
    """Where a hand should be. position: (3,) [m], rotation: (3, 3), both in base_link.

    orientation_cost: (3,) weights of rotations about the hand's own x, y, z axes; a zero leaves
    that rotation free (z: the yaw about the direction in which the hand points).
    """

    position: np.ndarray
    rotation: np.ndarray
    orientation_cost: tuple[float, float, float] = (0.3, 0.3, 0.3)


class ArmIK:
    """Solves both arms together; keeps near a rest posture where it has freedom."""

    def __init__(self, rest: np.ndarray, xml: Path = ROBOT_XML) -> None:
        """rest: shape (14,) [rad], left then right: the posture that redundancy falls back to."""
        self._model = _fixed_base_model(xml)
        self._configuration = mink.Configuration(self._model)
        self._indices = np.array(
            [self._model.joint(name).qposadr[0] for name in ARM_JOINTS], dtype=int
        )
        self._tasks = {
            side: mink.FrameTask(f"{side}_tcp", "site", position_cost=1.0, orientation_cost=0.3)
            for side in "lr"
        }
        cost = np.full(self._model.nv, 2e-3)
        self._posture = mink.PostureTask(self._model, cost=cost)
        self._posture.set_target(self._full(rest))
        self._limits = [mink.ConfigurationLimit(self._model, min_distance_from_limits=0.03)]

    def hand_pose(self, arms: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) and rotation (3, 3) of a hand's tcp in base_link, by forward kinematics."""
        self._configuration.update(self._full(arms))
        pose = self._configuration.get_transform_frame_to_world(f"{side}_tcp", "site")
        return pose.translation() - [0.0, 0.0, BASE_HEIGHT], pose.rotation().as_matrix()

    def solve(
        self, start: np.ndarray, goals: dict[str, Goal], iterations: int = 20
    ) -> tuple[np.ndarray, float]:
        """Arm positions, shape (14,) [rad], that bring the hands to `goals`, from `start`.

        An arm whose hand has no goal stays where it is.

        Returns:
            The positions and the worst remaining distance of a hand [m].
        """
        self._configuration.update(self._full(start))
        tasks: list[mink.Task] = [self._posture]
        for side, goal in goals.items():
            task = self._tasks[side]
            task.set_orientation_cost(np.asarray(goal.orientation_cost))
            rotation = mink.SO3.from_matrix(goal.rotation)
            target = goal.position + np.array([0.0, 0.0, BASE_HEIGHT])
            task.set_target(mink.SE3.from_rotation_and_translation(rotation, target))
            tasks.append(task)
        for _ in range(iterations):
            velocity = mink.solve_ik(
                self._configuration, tasks, _STEP, SOLVER, _DAMPING, limits=self._limits
            )
            self._configuration.integrate_inplace(velocity, _STEP)
            if np.abs(velocity).max() * _STEP < 1e-5:
                break
        arms = self._configuration.q[self._indices].copy()
        for side, part in _ARMS.items():
            if side not in goals:
                arms[part] = start[part]
        error = max(
            float(np.linalg.norm(self.hand_pose(arms, side)[0] - goal.position))
            for side, goal in goals.items()
        )
        return arms, error

    def _full(self, arms: np.ndarray) -> np.ndarray:
        q = np.zeros(self._model.nq)
        q[self._indices] = arms
        return q


def _fixed_base_model(xml: Path) -> mujoco.MjModel:
    # only the arms may move: with base, head and fingers welded, the solver cannot borrow them
    spec = mujoco.MjSpec.from_file(str(xml))
    for joint in list(spec.joints):
        if joint.name not in ARM_JOINTS:
            for actuator in list(spec.actuators):
                if actuator.target == joint.name:
                    spec.delete(actuator)
            spec.delete(joint)
    return spec.compile()
