"""Small LeRobot datasets of this robot, so that a test has recordings in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

from kuavo_deploy.robot import layout, topics
from kuavo_train.data.metadata import DRAWN_EVERY, EPISODES_FILE, dump_episodes
from kuavo_train.tasks import Task

HEIGHT, WIDTH = 24, 32


def features(action_dim: int, cameras=topics.CAMERAS, video: bool = False, state_dim: int = 16):
    images = {
        topics.IMAGE_FEATURES.get(camera, f"observation.images.{camera}"): {
            "dtype": "video" if video else "image",
            "shape": (HEIGHT, WIDTH, 3),
            "names": ["height", "width", "channels"],
        }
        for camera in cameras
    }
    return {
        **images,
        "observation.state": {"dtype": "float32", "shape": (state_dim,), "names": None},
        "action": {"dtype": "float32", "shape": (action_dim,), "names": None},
    }


def record(
    task: Task,
    root: Path,
    episodes: int = 4,
    frames: int = 10,
    fps: int = 10,
    video: bool = False,
    instruction: str | None = None,
    cameras=topics.CAMERAS,
    action_dim: int | None = None,
    state_dim: int = 16,
) -> Path:
    """Episodes whose arms swing by the task's own amount; each task has its own colour."""
    rng = np.random.default_rng(task.id)
    dim = action_dim or task.action_dim
    dataset = LeRobotDataset.create(
        f"test/{task.name}",
        fps=fps,
        features=features(dim, cameras, video, state_dim),
        root=root,
        use_videos=video,
    )
    for _ in range(episodes):
        phase = rng.uniform(0, 1)
        for frame in range(frames):
            swing = np.sin(2 * np.pi * (phase + frame / 20)) * 0.2 * task.id
            action = np.full(dim, swing, np.float32)
            action[[i for i in layout.HAND_INDICES if i < dim]] = float(frame > frames // 2)
            if dim > 16:
                action[16:] = [0.1 * frame, 0.0, 0.05 * frame, 1.0]
            state = np.resize(action[:16] - 0.01, state_dim).astype(np.float32)
            images = {
                key: rng.integers(0, 30, (HEIGHT, WIDTH, 3), dtype=np.uint8)
                + np.uint8(50 * task.id)
                for key in features(dim, cameras)
                if "images" in key
            }
            dataset.add_frame(
                {
                    **images,
                    "observation.state": state,
                    "action": action,
                    "task": instruction or task.instruction,
                }
            )
        dataset.save_episode()
    dataset.finalize()
    return root


def hold_images(root: Path, drawn_every: list[int]) -> Path:
    """Note that the cameras drew at every nth frame of each episode, as a recording does."""
    notes = [{"episode_index": i, DRAWN_EVERY: n} for i, n in enumerate(drawn_every)]
    (root / EPISODES_FILE).write_text(dump_episodes(notes))
    return root
