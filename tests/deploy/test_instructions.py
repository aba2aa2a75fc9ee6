"""What may be said to the robot, what it means, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuavo_deploy.policy.instructions import InstructionRefused, Instructions
from kuavo_deploy.policy.switchboard import Switchboard
from kuavo_train.tasks import load_tasks

TASKS = load_tasks()


def understood(said: str, mode: str = "known") -> tuple[str, str]:
    instruction = Instructions(TASKS, mode).understood(said)
    return instruction.task, instruction.text


@pytest.mark.parametrize("mode", ["known", "nearest", "free"])
def test_every_name_of_every_task_means_its_instruction(mode: str) -> None:
    for task in TASKS.values():
        for name in task.names:
            assert understood(f"  {name}\n", mode) == (task.name, task.instruction)


@pytest.mark.parametrize(
    "said", ["", "   \n", "x" * 10_240, "weigh\x00ing", "\x1b[31mweighing", "a\ufffdb", "\ud800"]
)
@pytest.mark.parametrize("mode", ["known", "nearest", "free"])
def test_empty_huge_and_binary_text_is_refused_in_every_mode(said: str, mode: str) -> None:
    with pytest.raises(InstructionRefused):
        understood(said, mode)


def test_unknown_text_is_refused_with_the_valid_names() -> None:
    with pytest.raises(InstructionRefused, match="1 moving_grasp.*4 sorting"):
        understood("make coffee")


def test_a_misspelt_task_is_found_where_that_is_wanted() -> None:
    assert understood("wieghing", "nearest")[0] == "weighing"
    near = "Pick up the parcel from the conveyor belt, weigh it on the scale, then place it"
    assert understood(near, "nearest")[0] == "weighing"
    with pytest.raises(InstructionRefused):
        understood("make coffee", "nearest")


def test_free_text_is_passed_on_as_it_is() -> None:
    assert understood("  wave your   hand ", "free") == ("", "wave your hand")


def test_a_checkpoint_s_own_wording_is_used_and_its_missing_tasks_are_refused() -> None:
    instructions = Instructions(TASKS, "known", {"weighing": "weigh the parcel"})
    assert instructions.understood("2").text == "weigh the parcel"
    with pytest.raises(InstructionRefused, match="not trained on sorting: it knows weighing"):
        instructions.understood("sorting")


def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match="choose from known, nearest, free"):
        Instructions(TASKS, "strict")


@given(st.text(max_size=500))
def test_whatever_is_said_is_understood_or_refused(said: str) -> None:
    try:
        task, text = understood(said, "free")
    except InstructionRefused:
        return
    assert text and len(text) <= 400 and text.isprintable()
    assert task in {"", *TASKS}


def test_each_switch_begins_an_epoch_and_a_refused_one_keeps_the_old() -> None:
    board = Switchboard(Instructions(TASKS, "known"), "a1")
    assert board.current is None
    first = board.switch("weighing")
    assert (first.epoch, first.task) == ("a1:1", "weighing")
    assert board.switch("2") == first, "saying the same again is no switch"
    with pytest.raises(InstructionRefused):
        board.switch("make coffee")
    assert board.current == first
    assert board.switch("4").epoch == "a1:2"
    assert board.switch("weighing").epoch == "a1:3"
