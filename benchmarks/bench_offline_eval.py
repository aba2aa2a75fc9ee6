"""Offline evaluation: recorded frames through the policy in batches, against one call per frame.

Stock is what an evaluation loop around lerobot does: `LeRobotDataset[i]` decodes a frame at random,
`select_action` gets it. Ours is `kuavo_eval.offline`'s replay of the same frames: decoded front to
back while the policy works, in batches, by the engine. Two questions, each like for like:

- a chunk planned at every frame (stock: `reset()` before each call): every horizon of every frame
  can be scored;
- every frame's action, a chunk every 0.5 s as on the robot (stock: its queue of 5 actions).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.form import CPU, Row, Times, alternate
from benchmarks.machine import Machine
from benchmarks.models import INSTRUCTION_TOKENS
from benchmarks.work import work_of
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
FRAMES = 20
"""Of the sample episode: enough for a whole batch, few enough for many rounds."""
REPLAN = 5
"""Frames between chunks on the robot: 0.5 s."""
TARGET = 10.0


def rows(machine: Machine) -> list[Row]:
    """Frames a second over the beginning of a sample episode (nano, random weights)."""
    registry = load_tasks()
    with tempfile.TemporaryDirectory() as scratch:
        folder = _checkpoint(Path(scratch))
        policy = open_policies([folder], "cpu", "float32")[0]
        stock = SmolVLAPolicyWrapper.from_pretrained(folder, "cpu", engine="stock")
    stock.policy.config.n_action_steps = REPLAN
    (whole,) = open_source(Source(TASK, RECORDING), registry, Options()).episodes[:1]
    episode = replace(whole, states=whole.states[:FRAMES], actions=whole.actions[:FRAMES])
    table = open_table(registry[TASK], RECORDING, registry, 10)

    def decode() -> None:
        for frame in range(FRAMES):
            table.frame_images(frame)

    def one_by_one(chunk_each: bool) -> None:
        stock.reset()
        for frame in range(FRAMES):
            if chunk_each:
                stock.reset()
            observation = {
                **table.frame_images(frame),
                STATE_FEATURE: table.states[frame],
                "task": registry[TASK].instruction,
            }
            stock.select_action(observation)

    times = alternate(
        {
            "stock, chunk at every frame": lambda: one_by_one(True),
            "ours, chunk at every frame": lambda: _replay(policy, episode, 1),
            "stock, queue": lambda: one_by_one(False),
            "ours, queue": lambda: _replay(policy, episode, REPLAN),
            "decoding at random": decode,
        },
        seconds=60, rounds=(3, 9), warm_up=1,
    )  # fmt: skip
    decoding = 1e3 * times["decoding at random"].median / FRAMES
    figures = {
        "frames": FRAMES,
        "threads": torch.get_num_threads(),
        "decoding at random [ms/frame]": round(decoding, 1),
    }
    against = "one select_action per frame"
    limit = machine.limit(work_of(stock.policy, INSTRUCTION_TOKENS).flop) + " a frame"
    return [
        _row(times, "chunk at every frame", f"{against}, a chunk at each", figures, TARGET, limit),
        _row(times, "queue", f"{against}, queue of {REPLAN}", figures, None, ""),
    ]


def _row(
    times: Mapping[str, Times],
    kind: str,
    against: str,
    figures: Mapping[str, object],
    target: float | None,
    limit: str,
) -> Row:
    stock, ours = (FRAMES / times[f"{who}, {kind}"].median for who in ("stock", "ours"))
    ratio = ours / stock
    return Row(
        f"offline scoring, nano, 3 cameras of 160×120, {kind}",
        against,
        "frames/s",
        round(stock, 2),
        round(ours, 2),
        round(ratio, 2),
        f"≥ {target:g}×" if target else "",
        ratio >= target if target else None,
        limit,
        figures,
    )


def _replay(policy: CheckpointPolicy, episode: RecordedEpisode, every: int) -> None:
    options = Options(parts=("error",), every=every)
    plan = plan_frames([episode], options, False, policy.chunk_size)
    texts = {policy.label: load_tasks()[TASK].instruction}
    replay([episode], plan, [policy], texts, options, lambda frames, note: None)


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
