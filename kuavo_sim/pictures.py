"""Pictures of a scene: every camera at a few moments of a demonstration, as one PNG a task."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kuavo_deploy.robot.topics import CAMERAS
from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.model.workshop import OVERVIEW
from kuavo_sim.trials import expert_rng

VIEWS = (OVERVIEW, *CAMERAS)
MOMENTS = 3


def photograph(task: str, seed: int, out: Path, size: tuple[int, int]) -> list[Path]:
    """Write `out`/task.png: a row per moment of the demonstration, a column per camera.

    Args:
        task: the name of a scene.
        seed: of the scene.
        out: the folder.
        size: (height, width) of each picture.

    Returns:
        The files written.
    """
    env = KuavoEnv(task, image_size=None)
    moments = _moments(env, seed)
    env.reset(seed=seed)
    expert = make_expert(env.sim, expert_rng(seed))
    rows = []
    over, period = False, 0
    while not over:
        if period in moments:
            rows.append(np.hstack([env.sim.render(view, *size) for view in VIEWS]))
        *_, terminated, truncated, _ = env.step(expert.act())
        over, period = terminated or truncated, period + 1
    env.close()
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{task}.png"
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    return [path]


def _moments(env: KuavoEnv, seed: int) -> set[int]:
    """Control periods worth a picture: the start, and evenly spread ones after it."""
    env.reset(seed=seed)
    expert = make_expert(env.sim, expert_rng(seed))
    over, periods = False, 0
    while not over:
        *_, terminated, truncated, _ = env.step(expert.act())
        over, periods = terminated or truncated, periods + 1
    return {round(i * (periods - 1) / (MOMENTS - 1)) for i in range(MOMENTS)}
