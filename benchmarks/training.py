"""Training a policy whose VLM is frozen, on recorded videos: lerobot's own loop, and this one.

lerobot's: `LeRobotDataset`, its processors and `update_policy`, as `lerobot-train` calls them.
Both load in the training process: loader processes of one would work through the other's turn.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.policies.smolvla.processor_smolvla import make_smolvla_pre_post_processors
from lerobot.scripts.lerobot_train import update_policy
from lerobot.utils.logging_utils import AverageMeter, MetricsTracker
from omegaconf import OmegaConf

from benchmarks.form import Row, alternate
from kuavo_deploy.robot.topics import ACTION_FEATURE
from kuavo_deploy.robot.version import load_limits
from kuavo_train.cache.filling import fill
from kuavo_train.cache.kinds import Frames, FrozenPart
from kuavo_train.cache.live import teach
from kuavo_train.checkpoint.processors import make_processors
from kuavo_train.data.decoding import decoder
from kuavo_train.episodes.augmentation import Augmentation
from kuavo_train.episodes.samples import Samples
from kuavo_train.episodes.table import EpisodeTable, open_table
from kuavo_train.policy.base_model import write_base
from kuavo_train.policy.build import build_policy
from kuavo_train.policy.flow_loss import FlowLoss
from kuavo_train.policy.freezing import FreezingRule, apply_freezing
from kuavo_train.policy.normalization import from_limits
from kuavo_train.replay.mixture import Mixture
from kuavo_train.sequential.loop import LoopSettings, TrainingLoop
from kuavo_train.sequential.schedule import Schedule
from kuavo_train.tasks import load_tasks
from kuavo_train.tasks.registry import configs_root

TASK = "moving_grasp"
SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "datasets" / TASK
STEPS = 100_000  # more than any benchmark takes
PEAK, CLIP = 1e-4, 10.0
KINDS = ("none", "frames", "vision", "prefix")


@dataclass(frozen=True)
class Bench:
    """What both train with. size: of the base model. batch: samples per step."""

    scratch: Path
    size: str
    batch: int
    accelerator: Accelerator

    def policy(self) -> Any:
        """A policy with the same weights each time; only its expert learns."""
        options = OmegaConf.load(configs_root() / "policy" / "policy" / "smolvla_nano.yaml")
        instructions = [task.instruction for task in load_tasks().values()]
        work = Path(tempfile.mkdtemp(dir=self.scratch))
        shape = self.table.image_shape
        device = self.accelerator.device.type
        base = str(self.scratch / "base")
        policy = build_policy(options, base, shape, instructions, work, device)
        apply_freezing(policy, FreezingRule(expert_only=True))
        return policy

    @property
    def table(self) -> EpisodeTable:
        """The recordings."""
        registry = load_tasks()
        return open_table(registry[TASK], SAMPLE, registry, 10)

    def optimizer(self, policy: Any) -> torch.optim.Optimizer:
        """As both use it."""
        learning = [p for p in policy.parameters() if p.requires_grad]
        return torch.optim.AdamW(learning, lr=PEAK, betas=(0.9, 0.95), weight_decay=1e-10)


def measured(size: str, batch: int, target: float, seconds: float) -> list[Row]:
    """Rows of the table: each cache, and none, against lerobot.

    Args:
        size: a file of configs/policy/architecture.
        batch: samples per step.
        target: least ratio of the prefix cache.
        seconds: to alternate.
    """
    accelerator = Accelerator()
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch), size, batch, accelerator)
        write_base(bench.scratch / "base", size)
        ours = {kind: _ours(bench, kind) for kind in KINDS}
        losses = {kind: [next(steps)[0] for _ in range(3)] for kind, steps in ours.items()}
        contenders: dict[str, Callable[[], object]] = {
            "stock": _synchronized(_lerobots(bench)),
            **{kind: _synchronized(steps) for kind, steps in ours.items()},
        }
        times = alternate(contenders, seconds=seconds, rounds=(5, 200), warm_up=1)
    rates = {name: batch / t.median for name, t in times.items()}
    worst = {k: float(np.max(np.abs(np.subtract(losses[k], losses["none"])))) for k in KINDS}
    return [
        Row(
            f"training, {size}, frozen VLM, cache={kind}",
            "lerobot's loop, same videos",
            "samples/s",
            round(rates["stock"], 2),
            round(rates[kind], 2),
            round(rates[kind] / rates["stock"], 2),
            f"≥ {target:g}×" if kind == "prefix" else "",
            rates[kind] >= target * rates["stock"] if kind == "prefix" else None,
            figures={
                "batch": batch,
                "steps": len(times[kind].durations),
                "loss, largest difference from no cache in 3 steps": worst[kind],
            },
        )
        for kind in KINDS
    ]


def _ours(bench: Bench, kind: str) -> Iterator[tuple[float, float]]:
    table, policy = bench.table, bench.policy()
    tables, rows = {TASK: table}, {TASK: np.arange(len(table.states))}
    statistics = from_limits(load_limits(45, configs_root() / "robot"), workspace=4.0)
    preprocess, _ = make_processors(policy.config, statistics)
    images = kept = None
    if kind == "frames":
        images = fill(Frames(), tables, rows, bench.scratch / "cache", 0, bench.accelerator)
    elif kind != "none":
        teach(policy)
        part = FrozenPart(kind, policy, preprocess, Augmentation(), torch.float32)
        kept = fill(part, tables, rows, bench.scratch / "cache", 0, bench.accelerator)
    width, height = policy.config.resize_imgs_with_padding
    samples = Samples(
        tables, policy.config.chunk_size, (int(width), int(height)), None, images, kept
    )
    return TrainingLoop(
        bench.accelerator,
        FlowLoss(policy),
        bench.optimizer(policy),
        preprocess,
        samples,
        Mixture(rows, {TASK: Fraction(1)}, bench.batch, STEPS, seed=0),
        Schedule(PEAK, STEPS, 0, 1.0),
        LoopSettings(0, bench.batch, 1, 0, CLIP, STEPS, STEPS, STEPS),
    ).steps(0)


def _lerobots(bench: Bench) -> Iterator[object]:
    policy = bench.policy()
    ahead = [step / 10 for step in range(policy.config.chunk_size)]
    dataset = LeRobotDataset(
        f"kuavo/{TASK}",
        root=SAMPLE,
        delta_timestamps={ACTION_FEATURE: ahead},
        video_backend=decoder(),
    )
    preprocess, _ = make_smolvla_pre_post_processors(policy.config, dataset.meta.stats)
    meters = {name: AverageMeter(name) for name in ("loss", "grad_norm", "lr", "update_s")}
    metrics = MetricsTracker(bench.batch, dataset.num_frames, dataset.num_episodes, meters)
    optimizer = bench.optimizer(policy)
    while True:
        loader = torch.utils.data.DataLoader(dataset, bench.batch, shuffle=True, drop_last=True)
        for batch in loader:
            yield update_policy(
                metrics, policy, preprocess(batch), optimizer, CLIP, bench.accelerator
            )


def _synchronized(steps: Iterator[object]) -> Callable[[], object]:
    def one() -> object:
        done = next(steps)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return done

    return one
