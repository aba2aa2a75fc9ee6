"""What files share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kuavo_train.tasks import load_tasks

EPISODES, FRAMES = 3, 24
"""Of each task in `recordings`."""


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset of each task, named like it."""
    from tests.train.recordings import record  # loads torch, which few files need

    root = tmp_path_factory.mktemp("recordings")
    for task in load_tasks().values():
        record(task, root / task.name, episodes=EPISODES, frames=FRAMES)
    return root


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole checkpoint with random weights."""
    from tests.deploy.tiny_policy import write_tiny_checkpoint

    folder = tmp_path_factory.mktemp("checkpoints") / "task4_sorting" / "best"
    return write_tiny_checkpoint(folder, np.zeros(14), spread=0.3)
