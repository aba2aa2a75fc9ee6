"""Write a base model with random weights, in the format of `lerobot/smolvla_base`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from kuavo_train.checkpoint.atomic import atomic_folder
from kuavo_train.checkpoint.writer import VLM
from kuavo_train.errors import TrainingError
from kuavo_train.policy.architecture import random_policy, read_architecture, write_vlm
from kuavo_train.tasks import load_tasks
from kuavo_train.tasks.registry import configs_root


def write_base(folder: Path, size: str, seed: int = 0, architectures: Path | None = None) -> int:
    """Make tokenizer, VLM configuration and random weights; returns the number of parameters.

    Raises:
        TrainingError: the folder exists already, or the size is unknown.
    """
    folder = Path(folder)
    if folder.exists():
        raise TrainingError(f"{folder} exists already; choose another folder or remove it")
    sizes = read_architecture(architectures or configs_root() / "policy" / "architecture", size)
    tasks = load_tasks().values()
    texts = [text for task in tasks for text in (task.instruction, task.description)]
    with atomic_folder(folder) as work, tempfile.TemporaryDirectory() as scratch:
        write_vlm(work / VLM, sizes, texts)
        write_vlm(Path(scratch) / VLM, sizes, texts)
        policy = random_policy(sizes, Path(scratch) / VLM, seed)
        policy.config.vlm_model_name = str((folder / VLM).absolute())
        policy._save_pretrained(work)
        return sum(parameter.numel() for parameter in policy.parameters())
