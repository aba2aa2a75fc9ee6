"""A soak explains why the robot stopped, or says that nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kuavo_deploy.executor.settings import load_start_postures
from kuavo_deploy.soak.blocked import Felt, Scene, blocked
from kuavo_deploy.soak.stops import stops

from .world import ROOT

START = load_start_postures(ROOT / "configs" / "deploy" / "start_postures.yaml")["weighing"]
ORIGIN = (0.0, 0.0, 0.0)
ELBOW = 10
"""r_arm_4"""


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    scene = Scene("weighing")
    yield scene
    scene.close()


def felt(posture: np.ndarray, torque: float, speed: float = 0.0) -> Felt:
    """Two seconds in which the elbow is 0.35 rad from its command."""
    at = np.arange(0.0, 2.0, 0.01)
    measured = np.tile(posture, (len(at), 1))
    measured[:, ELBOW] += speed * (at - at[-1])
    commanded, torques = measured.copy(), np.zeros_like(measured)
    commanded[:, ELBOW] += 0.35
    torques[:, ELBOW] = torque
    return Felt(at, measured, commanded, torques, ORIGIN)


def test_an_arm_that_stands_and_pushes_is_blocked(scene: Scene) -> None:
    found = blocked(felt(START, 60.0), scene)
    assert found["explained"]
    assert (found["joint"], found["from its command [rad]"]) == ("r_arm_4", 0.35)
    assert found["hardest push"] == "r_arm_4, 100% of its servo's force"
    assert found["touches"] == []


def test_what_an_arm_touches_is_named(scene: Scene) -> None:
    posture = START.copy()
    posture[[0, 7]] = -0.4
    assert scene.touched(START, ORIGIN) == []
    assert scene.touched(posture, ORIGIN) == ["belt_frame on l_hand"]
    assert scene.touched(posture, (-2.0, 0.0, 0.0)) == [], "the robot stands elsewhere"


def test_an_arm_that_neither_pushes_nor_touches_anything_is_not_explained(scene: Scene) -> None:
    found = blocked(felt(START, 5.0, speed=0.5), scene)
    assert not found["explained"]
    assert found["moved in the last half second [rad]"] == pytest.approx(0.25, abs=0.01)


def witnessed(states: list[tuple[float, str, str]], **more: Any) -> Any:
    return SimpleNamespace(**{"states": states, "felt": {}, "complaints": [], **more})


def test_every_stop_is_listed_with_what_explains_it(scene: Scene) -> None:
    slow = "latency 2.10 s, a chunk lasts 2.00 s"
    witness = witnessed(
        [
            (0.0, "run", "executing"),
            (1.0, "hold", "/sensors_data_raw is 0.21 s old, 0.20 s are allowed"),
            (1.5, "run", "executing"),
            (3.0, "fault", "r_arm_4 does not follow: 0.35 rad from its command"),
            (4.0, "disabled", "fault reset"),
            (9.0, "hold", "the plan ran out"),
        ],
        felt={3.0: felt(START, 60.0)},
        complaints=[(8.5, "kuavo_executor", "hold"), (8.6, "kuavo_policy", slow)],
    )
    found = stops(witness, scene, 10.0)
    assert [(stop["at"], stop["state"], stop["lasted"]) for stop in found] == [
        (1.0, "hold", 0.5), (3.0, "fault", 1.0), (9.0, "hold", 1.0)
    ]  # fmt: skip
    assert all(stop["explained"] for stop in found)
    assert found[0]["because"] == "its reason names it"
    assert found[1]["joint"] == "r_arm_4"
    assert found[2]["because"] == slow


@pytest.mark.parametrize(
    "reason",
    ["the plan ran out", "internal error: ZeroDivisionError()", "r_arm_4 does not follow: 0.4 rad"],
)
def test_a_stop_that_nothing_explains_says_so(scene: Scene, reason: str) -> None:
    witness = witnessed([(3.0, "fault", reason)], felt={3.0: felt(START, 1.0)})
    assert [stop["explained"] for stop in stops(witness, scene, 4.0)] == [False]
