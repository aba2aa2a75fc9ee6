"""From the simulator to the final model: recorded demonstrations, the nano configuration."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from kuavo_deploy.robot.topics import CAMERAS
from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper

from .conftest import REPOSITORY, STAGES


def kuavo(*arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "kuavo_cli.main", *map(str, arguments)]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_four_nano_stages_on_recorded_demonstrations(tmp_path, tasks):
    for task in tasks.values():
        kuavo(
            *("sim", "record", "--task", task.name, "--episodes", 2, "--seed", 0),
            *("--out", tmp_path / "data" / task.name, "--height", 96, "--width", 128),
        )
    kuavo("train", "base", "--size", "nano", "--out", tmp_path / "base")
    output = tmp_path / "out"
    settings = [
        f"data.root='{tmp_path}/data/{{name}}'",
        f"policy.pretrained={tmp_path}/base",
        f"output_root={output}",
        f"log_file={output}/training.log",
        "training.batch_size=4",
        "training.steps_per_epoch=3",
        "validation.frames=8",
        "validation.sampled_frames=4",
        "validation.language_frames=4",
        *(f"sequential.stage{n}.epochs=2" for n in (1, 2, 3, 4)),
    ]
    options = [part for setting in settings for part in ("-s", setting)]
    kuavo("train", "--all", "--config-name", "smolvla_sequential_nano", *options)
    policy = SmolVLAPolicyWrapper.from_pretrained(output / STAGES[3] / "best", device="cpu")
    frame = {f"observation.images.{c}": np.zeros((480, 640, 3), np.uint8) for c in CAMERAS}
    for instruction in policy.instructions.values():
        chunk = policy.predict_action_chunk(
            {**frame, "observation.state": np.zeros(16), "task": instruction}
        )
        assert chunk.shape == (20, 20)
        assert np.isfinite(chunk.numpy()).all()
