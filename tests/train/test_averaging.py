"""Processes that go their own way for some steps, then have the mean of their weights."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from kuavo_train.sequential.averaging import Averaging
from kuavo_train.sequential.processes import run_shared

from .conftest import REPOSITORY, STAGES, Curriculum

MEET = """
import json, sys
from pathlib import Path
import torch
from accelerate import Accelerator
from kuavo_train.optimizer.make import make_optimizer
from kuavo_train.sequential.averaging import Averaging

accelerator = Accelerator(cpu=True)
rank = accelerator.process_index
parameters = {
    name: torch.nn.Parameter(torch.ones(shape))
    for name, shape in {"layer.weight": (3, 4), "layer.bias": (4,)}.items()
}
named = make_optimizer(sys.argv[2], parameters, 0.1, (0.9, 0.95), 0.0, 1.0)
generator = torch.Generator().manual_seed(rank)
for parameter in parameters.values():
    parameter.grad = torch.randn(parameter.shape, generator=generator)
named.optimizer.step()

def now():
    moments = {
        f"{name}/{key}": value.tolist()
        for name, parameter in parameters.items()
        for key, value in named.optimizer.state[parameter].items()
    }
    return {**{name: p.tolist() for name, p in parameters.items()}, **moments}

before = now()
Averaging(accelerator, accelerator.prepare(named.optimizer), 1).meet()
(Path(sys.argv[1]) / f"{rank}.json").write_text(json.dumps([before, now()]))
"""


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_weights_and_moments_are_the_mean_afterwards(tmp_path: Path, optimizer: str) -> None:
    assert run_shared([sys.executable, "-c", MEET, str(tmp_path), optimizer], 2) == 0
    one, other = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert one[0].keys() == one[1].keys() and len(one[0]) > 4
    for name in one[0]:
        first, second = torch.tensor(one[0][name]), torch.tensor(other[0][name])
        mean = torch.tensor(one[1][name])
        torch.testing.assert_close(mean, (first + second) / 2)
        assert other[1][name] == one[1][name], "bit by bit the same in both"
        assert name.endswith("/step") or not torch.equal(first, second), "they were apart"


@pytest.fixture
def alone() -> Averaging:
    weight = torch.nn.Parameter(torch.ones(2))
    return Averaging(Accelerator(cpu=True), torch.optim.AdamW([weight]), 5)


def test_a_process_of_its_own_is_never_apart(alone: Averaging) -> None:
    assert not alone.apart
    assert all(alone.due(steps) for steps in range(1, 11))
    alone.meet()


SETTINGS = (
    "training.steps_per_epoch=4", "sequential.stage1.epochs=2", "training.batch_size=4",
    "training.average_steps=3", "training.save_steps=1",
)  # fmt: skip


def command(run: Curriculum, *settings: str) -> list[str]:
    return [
        sys.executable,
        str(REPOSITORY / "kuavo_train" / "train_smolvla_sequential.py"),
        f"--config-path={REPOSITORY / 'configs' / 'policy'}",
        "--config-name=smolvla_sequential_base",
        *run.arguments(STAGES[0], *SETTINGS, *settings),
    ]


def steps_stored(folder: Path) -> int:
    try:
        return int(json.loads((folder / "resume" / "training_state.json").read_text())["step"])
    except (FileNotFoundError, NotADirectoryError):
        return 0


@pytest.mark.xdist_group("train scale")
def test_a_run_of_two_that_is_killed_goes_on_to_the_same_weights(
    curriculum: Curriculum, tmp_path: Path, recorded: Path, base_model: Path
) -> None:
    """It is stored when both are together, whatever `save_steps` says, or it could not."""
    assert run_shared(command(curriculum), 2) == 0
    other = Curriculum(tmp_path / "other", recorded, base_model)
    launcher = subprocess.Popen(
        [sys.executable, "-c",
         "import sys; from kuavo_train.sequential.processes import run_shared;"
         "run_shared(sys.argv[1:], 2)", *command(other)], cwd=REPOSITORY,
    )  # fmt: skip
    folder, reference = (run.output / STAGES[0] for run in (other, curriculum))
    while launcher.poll() is None and not steps_stored(folder):
        time.sleep(0.002)
    launcher.kill()
    launcher.wait()
    assert steps_stored(folder) in (3, 4, 6), "killed between two meetings"
    assert run_shared(command(other, "resume=true"), 2) == 0
    assert steps_stored(folder) == steps_stored(reference) == 8
    for name in ("best/model", "resume/model", "resume/optimizer"):
        one, two = (f / f"{name}.safetensors" for f in (folder, reference))
        assert one.read_bytes() == two.read_bytes(), name
