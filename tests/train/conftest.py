"""A curriculum in miniature: four recorded tasks, a base model, stages that take seconds."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir

from kuavo_train.policy.base_model import write_base
from kuavo_train.sequential import setting, stage
from kuavo_train.sequential.run import train_stage
from kuavo_train.tasks import load_tasks

from .recordings import record

REPOSITORY = Path(__file__).parents[2]

TINY = {
    "vision": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    },
    "text": {
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "max_position_embeddings": 256,
    },
    "scale_factor": 2,
    "vocabulary": 600,
    "policy": {
        "chunk_size": 6,
        "n_action_steps": 4,
        "num_steps": 3,
        "expert_width_multiplier": 0.75,
        "num_vlm_layers": 2,
        "self_attn_every_n_layers": 2,
        "resize_imgs_with_padding": [32, 32],
    },
}


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tasks():
    return load_tasks()


@pytest.fixture(scope="session")
def recorded(tmp_path_factory, tasks) -> Iterator[Path]:
    """A folder with one dataset per task, named like the task; read it, don't write to it."""
    root = tmp_path_factory.mktemp("recordings")
    for task in tasks.values():
        record(task, root / task.name)
    with patch.object(setting, "open_table", opened_once(root)):
        yield root


def opened_once(root: Path):
    """`open_table` that keeps what lies below `root`: opening takes longer than a tiny stage."""
    real, kept = setting.open_table, {}

    def open_table(task, folder, registry, fps):
        key = (task, folder, fps)
        if key in kept:
            return kept[key]
        table = real(task, folder, registry, fps)
        if root in folder.parents:
            kept[key] = table
        return table

    return open_table


@pytest.fixture(scope="session")
def base_model(tmp_path_factory) -> Path:
    """A base model with random weights."""
    root = tmp_path_factory.mktemp("base")
    (root / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    write_base(root / "model", "tiny", architectures=root)
    return root / "model"


class Curriculum:
    """Composes the project's own configuration with small numbers, and trains stages."""

    def __init__(self, output: Path, recorded: Path, base_model: Path) -> None:
        self.output = output
        self.configs = REPOSITORY / "configs" / "policy"
        self.settings = [
            f"output_root={output}",
            f"log_file={output}/training.log",
            f"data.root='{recorded}/{{name}}'",
            f"policy.pretrained={base_model}",
            "training.device=cpu",
            "training.batch_size=4",
            "training.num_workers=0",
            "training.steps_per_epoch=2",
            "training.save_epochs=9",
            "training.log_steps=1",
            "validation.every_epochs=1",
            "validation.frames=6",
            "validation.sampled_frames=2",
            "validation.language_frames=2",
            *(f"sequential.stage{n}.epochs=2" for n in (1, 2, 3, 4)),
            "freezing=vision_only",
        ]

    def config(self, task: str, *settings: str, name: str = "smolvla_sequential_base"):
        with initialize_config_dir(str(self.configs), version_base="1.3"):
            return compose(name, [f"task=tasks/{task}", *self.settings, *settings])

    def train(
        self, task: str, *settings: str, name: str = "smolvla_sequential_base", plots: bool = False
    ):
        """Train a stage. plots: draw its curves too, which takes as long as the stage."""
        config = self.config(task, *settings, name=name)
        drawn = contextlib.nullcontext() if plots else patch.object(stage, "write_plots")
        with drawn:
            return train_stage(config, self.configs, name)

    def arguments(self, task: str, *settings: str) -> list[str]:
        """The same for a command line."""
        return [f"task=tasks/{task}", *self.settings, *settings]


STAGES = ("task1_moving_grasp", "task2_weighing", "task3_placement", "task4_sorting")


@pytest.fixture
def curriculum(tmp_path, recorded, base_model) -> Curriculum:
    return Curriculum(tmp_path / "out", recorded, base_model)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, recorded, base_model):
    """All four stages, trained once; read it, don't write to it."""
    run = Curriculum(tmp_path_factory.mktemp("chain") / "out", recorded, base_model)
    results = [run.train(name, "training.save_epochs=1", plots=True) for name in STAGES]
    return run, results


@pytest.fixture
def checkpoint(trained, tmp_path) -> Path:
    """A copy of the final model that a test may damage."""
    run, _ = trained
    return Path(shutil.copytree(run.output / STAGES[-1] / "best", tmp_path / "best"))
