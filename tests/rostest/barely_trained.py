"""A barely trained checkpoint: `python3 barely_trained.py FOLDER`, unless there is one already.

The real training, for a few steps, on recordings of a robot that hardly moves in any task: so its
actions stay near one posture, although it has learned nothing.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "deploy"))

from tiny_policy import SIZES  # noqa: E402

HEIGHT, WIDTH, FRAMES, EPISODES = 48, 64, 25, 3
SWING = 0.02
"""Of the arms around their start [rad]."""


def main(folder: Path) -> int:
    """Train unless it is there; prints the folder."""
    if not (folder / "manifest.json").is_file():
        with tempfile.TemporaryDirectory() as scratch:
            # roslaunch takes what is printed for the parameter's value
            with contextlib.redirect_stdout(sys.stderr):
                trained = train(Path(scratch))
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(trained, folder)
    print(folder, end="")
    return 0


def train(scratch: Path) -> Path:
    """One joint stage over all tasks; the checkpoint's folder."""
    from hydra import compose, initialize_config_dir

    from kuavo_train.policy.base_model import write_base
    from kuavo_train.sequential.run import train_stage
    from kuavo_train.tasks import load_tasks

    postures = yaml.safe_load((ROOT / "configs/deploy/start_postures.yaml").read_text())
    for task in load_tasks().values():
        record(scratch / task.name, task, np.array(postures["weighing"]))
    (scratch / "tiny.yaml").write_text(yaml.safe_dump(SIZES))
    write_base(scratch / "base", "tiny", architectures=scratch)
    settings = [
        "mode=joint", f"output_root={scratch / 'out'}", f"log_file={scratch / 'log.txt'}",
        f"data.root='{scratch}/{{name}}'", f"policy.pretrained={scratch / 'base'}",
        "training.batch_size=4", "training.steps_per_epoch=4", "sequential.joint.epochs=1",
        "validation.every_epochs=1", "validation.frames=4", "validation.sampled_frames=1",
        "validation.language_frames=1",
    ]  # fmt: skip
    configs, name = ROOT / "configs" / "policy", "smolvla_sequential_nano"
    with initialize_config_dir(str(configs), version_base="1.3"):
        config = compose(name, settings)
    train_stage(config, configs, name)
    (best,) = (scratch / "out").glob("*/best")
    return best


def record(root: Path, task: object, arms: np.ndarray) -> None:
    """Episodes around a posture, shape (14,) [rad]."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    from kuavo_deploy.robot import layout, topics

    rng = np.random.default_rng(task.id)  # type: ignore[attr-defined]
    dim = task.action_dim  # type: ignore[attr-defined]
    image = {
        "dtype": "image",
        "shape": (HEIGHT, WIDTH, 3),
        "names": ["height", "width", "channels"],
    }
    vectors = {"observation.state": 16, "action": dim}
    dataset = LeRobotDataset.create(
        f"test/{root.name}", fps=10, root=root, use_videos=False,
        features={
            **dict.fromkeys(topics.IMAGE_FEATURES.values(), image),
            **{n: {"dtype": "float32", "shape": (d,), "names": None} for n, d in vectors.items()},
        },
    )  # fmt: skip
    for _ in range(EPISODES):
        phase = rng.uniform(0, 2 * np.pi)
        for frame in range(FRAMES):
            swing = SWING * np.sin(phase + frame / 4)
            action = np.zeros(dim)
            action[:16] = layout.join(arms + swing, np.full(2, 0.3 + swing))
            dataset.add_frame({
                **{feature: rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
                   for feature in topics.IMAGE_FEATURES.values()},
                "observation.state": action[:16].astype(np.float32),
                "action": action.astype(np.float32),
                "task": task.instruction,  # type: ignore[attr-defined]
            })  # fmt: skip
        dataset.save_episode()
    dataset.finalize()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
