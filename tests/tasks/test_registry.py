"""One registry names the tasks for training, simulation, deployment and evaluation."""

import pytest
import yaml

from kuavo_train.tasks import UnknownTask, load_tasks, task_named
from kuavo_train.tasks.registry import configs_root

FOLDER = configs_root() / "policy" / "task" / "tasks"


def test_the_four_tasks_are_in_the_order_of_the_curriculum():
    tasks = load_tasks()
    assert [(t.id, t.name) for t in tasks.values()] == [
        (1, "moving_grasp"),
        (2, "weighing"),
        (3, "placement"),
        (4, "sorting"),
    ]
    assert [t.action_dim for t in tasks.values()] == [16, 16, 16, 20]


@pytest.mark.parametrize(
    "name",
    ["weighing", "2", 2, "快递袋称重", "称重", "WEIGHING ", "task2_weighing", "２",
     "Pick up the package from the conveyor belt, weigh it on the electronic scale, "
     "then pick it up again and place it in the designated storage container"],
)  # fmt: skip
def test_a_task_answers_to_name_id_chinese_name_alias_and_instruction(name):
    assert task_named(name).name == "weighing"


@pytest.mark.parametrize("name", ["", "weigh ing", "5", "0", "x" * 10_000, "\x00\xff"])
def test_anything_else_is_refused_with_the_list(name):
    with pytest.raises(UnknownTask, match=r"1 moving_grasp .*4 sorting") as error:
        task_named(name)
    assert len(str(error.value)) < 400


def fifth(**changes):
    task = yaml.safe_load((FOLDER / "task1_moving_grasp.yaml").read_text())
    task.update(
        {"id": 5, "name": "folding", "name_zh": "折叠", "instruction": "Fold", "aliases": []}
    )
    task.update(changes)
    return task


def registry_with(tmp_path, task):
    for file in FOLDER.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "task5.yaml").write_text(yaml.safe_dump(task, allow_unicode=True))
    return load_tasks(tmp_path)


def test_a_fifth_task_is_one_file(tmp_path):
    tasks = registry_with(tmp_path, fifth())
    assert tasks.named("折叠").id == 5
    assert list(tasks)[-1] == "folding"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"id": 4}, "share an id"),
        ({"name": "sorting"}, "both called"),
        ({"aliases": ["weighing"]}, "both called"),
        ({"action_dim": 17}, "16 or 20"),
        ({"instruction": " "}, "instruction is empty"),
        ({"id": "five"}, "id must be int"),
    ],
)
def test_a_bad_task_file_is_refused(tmp_path, changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        registry_with(tmp_path, fifth(**changes))


def test_a_missing_field_is_named(tmp_path):
    task = fifth()
    del task["instruction"]
    with pytest.raises(ValueError, match="lacks instruction"):
        registry_with(tmp_path, task)
