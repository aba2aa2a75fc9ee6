"""The node's parameters: checked before anything starts, with errors that list what is valid."""

from __future__ import annotations

from typing import Any

import pytest

from kuavo_sim.ros.settings import Settings


@pytest.mark.parametrize("name", ["weighing", "2", 2, "快递袋称重", "weigh", "  Weighing "])
def test_a_task_has_many_names(name: Any) -> None:
    assert Settings.from_parameters({"task": name}).the_task.name == "weighing"


def test_numbers_may_come_as_integers() -> None:
    settings = Settings.from_parameters({"rate": 2, "clock": True, "camera_hz": 30})
    assert settings.rate == 2.0
    assert settings.camera_hz == 30.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"task": "wieghing"}, "1 moving_grasp.*2 weighing.*3 placement.*4 sorting"),
        ({"tsak": "weighing"}, "unknown parameter 'tsak': choose from task, seed"),
        ({"end_effector": "hook"}, "lejuclaw.*qiangnao.*rq2f85"),
        ({"robot_version": 12}, "no limits for robot version 12.*40.*45"),
        ({"rate": 2.0}, "needs clock:=true"),
        ({"wait_for_images": True}, "needs clock:=true"),
        ({"rate": 0.0, "clock": True}, "rate is 0.01…100"),
        ({"seed": -1}, "seed is 0"),
        ({"seed": "three"}, "seed must be int"),
        ({"camera_hz": 1000}, "camera_hz is 0…500"),
        ({"jpeg_quality": 0}, "jpeg_quality is 1…100"),
        ({"claw_closed_at": 50.0}, "closed_at is 0 or 100"),
        ({"depth": 1}, "depth must be bool"),
        ({"width": float("nan")}, "width must be int"),
        ({"sensors_hz": float("nan")}, "sensors_hz is 1…500"),
    ],
)
def test_wrong_parameters_are_explained(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings.from_parameters(parameters)
