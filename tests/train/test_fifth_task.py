"""A fifth task is one file in `configs/`: it is trained, replayed and known to the result."""

from __future__ import annotations

import shutil

import pytest
import yaml

from kuavo_train.tasks import load_tasks
from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper

from .conftest import STAGES
from .recordings import record

FIFTH = {
    "id": 5,
    "name": "folding",
    "name_zh": "叠衣服",
    "description": "folds a shirt on the table",
    "instruction": "Fold the shirt on the table twice and put it on the pile",
    "aliases": ["fold"],
    "data_root": "/set/by/the/test",
    "action_dim": 16,
}


@pytest.fixture
def extended(trained, curriculum, recorded, tmp_path):
    """The four trained stages, and a fifth task added by one file."""
    run, _ = trained
    configs = tmp_path / "configs" / "policy"
    shutil.copytree(curriculum.configs, configs)
    file = configs / "task" / "tasks" / "task5_folding.yaml"
    file.write_text(yaml.safe_dump(FIFTH, allow_unicode=True))
    data = tmp_path / "data"
    data.mkdir()
    for folder in recorded.iterdir():
        (data / folder.name).symlink_to(folder)
    record(load_tasks(file.parent)["folding"], data / "folding")
    shutil.copytree(run.output, curriculum.output)
    curriculum.configs = configs
    curriculum.settings.append(f"data.root='{data}/{{name}}'")
    return curriculum


def test_one_file_adds_a_task(extended, tasks):
    content = extended.train("task5_folding", "sequential.later_stage.epochs=1")
    assert content["task_id"] == 5
    assert content["learning_rate"] == 2e-5
    assert content["replay_shares"] == pytest.approx(
        {"1": 0.1, "2": 0.1, "3": 0.1, "4": 0.1, "5": 0.6}
    )
    assert set(content["final_validation"]) == {"1", "2", "3", "4", "5"}
    best = extended.output / "task5_folding" / "best"
    policy = SmolVLAPolicyWrapper.from_pretrained(best)
    assert policy.instructions == {
        **{t.name: t.instruction for t in tasks.values()},
        "folding": FIFTH["instruction"],
    }
    # The chain's statistics are the same bytes as before the fifth task existed.
    before = extended.output / STAGES[0] / "best" / "normalization.json"
    assert (best / "normalization.json").read_bytes() == before.read_bytes()


def test_its_own_shares_can_be_given(extended):
    shares = "{task1: 0.05, task2: 0.05, task3: 0.1, task4: 0.1, task5: 0.7}"
    content = extended.train(
        "task5_folding",
        "sequential.later_stage.epochs=1",
        f"+sequential.stage5_replay={shares}",
    )
    assert content["replay_shares"]["5"] == 0.7


def test_a_longer_instruction_is_not_cut(extended, tmp_path):
    configs = tmp_path / "longer" / "policy"
    extended.configs = shutil.copytree(extended.configs, configs)
    file = configs / "task" / "tasks" / "task5_folding.yaml"
    file.write_text(yaml.safe_dump({**FIFTH, "instruction": "fold the shirt " * 40}))
    extended.train("task5_folding", "sequential.later_stage.epochs=1")
    policy = SmolVLAPolicyWrapper.from_pretrained(extended.output / "task5_folding" / "best")
    assert policy.policy.config.tokenizer_max_length >= 120
