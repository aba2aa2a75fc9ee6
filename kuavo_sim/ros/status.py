"""What the simulation tells about itself: the task's rubric as JSON, and its health."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kuavo_sim.ros.world import World
from kuavo_sim.scenes import TaskProgress
from kuavo_train.tasks import task_named

GOOD_FACTOR = 0.95
"""Below this share of the wanted rate the simulation counts as slow."""


@dataclass(frozen=True)
class Health:
    """Measured since the last report.

    real_time_factor: simulated per wall second; wanted: what it should be. sensors_hz, camera_hz:
    published, per wall second. skipped: images not made because the last were still under way.
    lost: wall time given up since the start [s].
    """

    real_time_factor: float
    wanted: float
    sensors_hz: float
    camera_hz: float
    skipped: int
    lost: float

    @property
    def keeps_up(self) -> bool:
        """Is the simulation about as fast as wanted?"""
        return self.real_time_factor >= GOOD_FACTOR * self.wanted


def state_json(world: World) -> str:
    """Task, time, rubric and robot as one JSON object."""
    with world.lock:
        sim, body = world.sim, world.body
        state = {
            "task": sim.task,
            "seed": sim.seed,
            "instruction": task_named(sim.task).instruction,
            "time": round(sim.time, 3),
            "time_limit": sim.scene.time_limit,
            **_progress(sim.progress),
            "outcomes": {task: _progress(progress) for task, progress in sim.outcomes.items()},
            "arm_mode": body.arms.mode,
            "walking": sim.robot.walking,
            "paused": body.paused,
            "stopped": body.stopped,
            "refused_commands": sum(world.refusals.values()),
        }
    return json.dumps(state, ensure_ascii=False)


def _progress(progress: TaskProgress) -> dict[str, Any]:
    return {
        "stage": progress.stage,
        "stages": {name: round(time, 3) for name, time in progress.stages.items()},
        "success": progress.success,
        "failure": progress.failure,
    }
