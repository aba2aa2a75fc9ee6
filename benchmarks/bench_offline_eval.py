"""Offline evaluation: recorded frames through the policy in batches, against one call per frame.

Stock is what an evaluation loop around lerobot does: `LeRobotDataset[i]` decodes a frame at random,
its sampler plans a chunk for this frame alone. Ours is `kuavo_eval.offline`'s replay of the same
frames: decoded front to back while the policy works, in batches, by the engine.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.form import CPU, Row, alternate
from benchmarks.machine import Machine
from kuavo_deploy.robot.topics import STATE_FEATURE
from kuavo_deploy.robot.version import load_limits
from kuavo_eval.offline.episodes import RecordedEpisode
from kuavo_eval.offline.options import Options
from kuavo_eval.offline.plan import plan_frames
from kuavo_eval.offline.policies import CheckpointPolicy, open_policies
from kuavo_eval.offline.replay import replay
from kuavo_eval.offline.sources import Source, open_source
from kuavo_train.checkpoint.manifest import Lineage, TaskRecord
from kuavo_train.checkpoint.writer import VLM, write_checkpoint
from kuavo_train.episodes.table import open_table
from kuavo_train.policy.architecture import random_policy, read_architecture, write_vlm
from kuavo_train.policy.normalization import from_limits
from kuavo_train.tasks import load_tasks
from kuavo_train.tasks.registry import configs_root
from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper

NEEDS = CPU
TASK = "weighing"
RECORDING = Path(__file__).resolve().parents[1] / "samples" / "datasets" / TASK
EVERY = 5
TARGET = 10.0


def rows(machine: Machine) -> list[Row]:
    """Frames a second over one sample episode, a prediction every 0.5 s (nano, random weights)."""
    registry = load_tasks()
    with tempfile.TemporaryDirectory() as scratch:
        folder = _checkpoint(Path(scratch))
        policy = open_policies([folder], "cpu", "float32")[0]
        stock = SmolVLAPolicyWrapper.from_pretrained(folder, "cpu", engine="stock")
    recording = open_source(Source(TASK, RECORDING), registry, Options())
    table = open_table(registry[TASK], RECORDING, registry, 10)
    frames = np.arange(0, len(table.states), EVERY)

    def one_by_one() -> None:
        for frame in frames:
            images = table.frame_images(int(frame))
            state = table.states[frame]
            stock.reset()
            stock.select_action(
                {**images, STATE_FEATURE: state, "task": registry[TASK].instruction}
            )

    times = alternate(
        {"stock": one_by_one, "ours": lambda: _replay(policy, recording.episodes)},
        seconds=60, rounds=(3, 9), warm_up=1,
    )  # fmt: skip
    speeds = {name: len(frames) / t.median for name, t in times.items()}
    ratio = speeds["ours"] / speeds["stock"]
    return [
        Row(
            "offline evaluation, nano, 3 cameras of 160×120",
            "one select_action per frame",
            "frames/s",
            round(speeds["stock"], 2),
            round(speeds["ours"], 2),
            round(ratio, 2),
            f"≥ {TARGET:g}×",
            ratio >= TARGET,
            "",
            {"frames": len(frames), "threads": torch.get_num_threads()},
        )
    ]


def _replay(policy: CheckpointPolicy, episodes: tuple[RecordedEpisode, ...]) -> None:
    options = Options(parts=("error",), every=EVERY)
    plan = plan_frames(episodes, options, shown=False)
    texts = {policy.label: load_tasks()[TASK].instruction}
    replay(episodes, plan, [policy], texts, options, lambda frames, note: None)


def _checkpoint(scratch: Path) -> Path:
    """A nano policy with random weights in a checkpoint's form."""
    tasks = list(load_tasks().values())
    configs = configs_root()
    sizes = read_architecture(configs / "policy" / "architecture", "nano")
    write_vlm(scratch / VLM, sizes, [task.instruction for task in tasks])
    policy = random_policy(sizes, scratch / VLM)
    lineage = Lineage(
        parent="random", stage="1", epoch=0, step=0, loss_version="benchmark", trainable=[],
        packages={},
        tasks=[TaskRecord(t.id, t.name, t.instruction, t.action_dim, "none") for t in tasks],
    )  # fmt: skip
    statistics = from_limits(load_limits(45, configs / "robot"), workspace=3.0)
    write_checkpoint(scratch / "best", policy, statistics, lineage, "")
    return scratch / "best"
