"""`python -m benchmarks.memory stock|fast CHECKPOINT DTYPE PLANS`: a policy in a fresh process.

Prints JSON: the process's memory after the imports, at its greatest, and at the end [MiB]. Stock is
lerobot as its own scripts load it; ours is what the policy node does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from kuavo_deploy.robot.topics import IMAGE_FEATURES, STATE_FEATURE
from kuavo_deploy.soak.processes import resident


def measured(engine: str, checkpoint: Path, dtype: str, plans: int) -> dict[str, float]:
    """In a process of its own; see the module."""
    command = [sys.executable, "-m", "benchmarks.memory", engine, str(checkpoint), dtype]
    done = subprocess.run(
        [*command, str(plans)], check=True, capture_output=True, text=True,
        cwd=Path(__file__).resolve().parents[1],
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """See the module."""
    engine, checkpoint, dtype, plans = sys.argv[1], Path(sys.argv[2]), *sys.argv[3:5]
    import torch

    import kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper  # noqa: F401

    torch.set_num_threads(1)
    imported = resident(os.getpid())
    plan = _stock(checkpoint, dtype) if engine == "stock" else _ours(checkpoint, dtype)
    for _ in range(int(plans)):
        plan()
    print(json.dumps({"imports": imported, "peak": _peak(), "at the end": resident(os.getpid())}))


def _peak() -> float:
    """Of this program alone; getrusage's figure includes what its parent had when it forked."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _ours(checkpoint: Path, dtype: str) -> Any:
    from kuavo_deploy.policy.policies import TrainedPolicy

    policy = TrainedPolicy(checkpoint, "cpu", dtype, threads=1, graphs=True)
    return lambda: policy.plan(_observation(), {})


def _stock(checkpoint: Path, dtype: str) -> Any:
    import torch
    from lerobot.configs.policies import PreTrainedConfig
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    from kuavo_train.checkpoint.processors import make_processors
    from kuavo_train.checkpoint.reader import LoadedPolicy, open_checkpoint
    from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper

    opened = open_checkpoint(checkpoint)
    config: PreTrainedConfig = opened.config
    config.device = "cpu"
    policy = SmolVLAPolicy.from_pretrained(checkpoint, config=config)
    policy.model.vlm_with_expert.to(getattr(torch, dtype))
    loaded = LoadedPolicy(policy, *make_processors(config, opened.statistics))
    wrapper = SmolVLAPolicyWrapper(opened, loaded, "stock")
    return lambda: wrapper.predict_action_chunk(_observation())


def _observation() -> dict[str, Any]:
    images = {name: np.zeros((480, 640, 3), np.uint8) for name in IMAGE_FEATURES.values()}
    return {**images, STATE_FEATURE: np.zeros(16, np.float32), "task": "weigh the parcel"}


if __name__ == "__main__":
    main()
