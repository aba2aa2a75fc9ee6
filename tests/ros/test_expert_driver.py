"""The expert at the robot's controls, its commands taken as the topics would take them."""

from __future__ import annotations

import numpy as np
import pytest

from kuavo_deploy.robot import layout
from kuavo_sim.ros.expert_driver import Command, ExpertDriver
from kuavo_sim.ros.world import World
from tests.ros.conftest import make_world


def obey(world: World, command: Command) -> None:
    if command.walk is not None:
        world.body.base.walk_to(*command.walk[:3])
    if command.stand:
        world.body.base.stop()
    if command.arms is not None:
        degrees = layout.arms_to_degrees(command.arms)
        assert world.command("arms", lambda b: b.arms.follow(degrees)) is None
    world.body.hands.closures = command.hands


def drive(world: World, limit: float = 40.0) -> list[Command]:
    """Until the task has ended; everything that was commanded."""
    world.body.arms.set_mode(2, 0.0)
    driver = ExpertDriver(world.sim)
    commands = []
    while world.sim.time < limit:
        command = driver.command()
        if command is not None:
            commands.append(command)
            obey(world, command)
        world.step()
        progress = world.sim.progress
        if progress.success or progress.failure:
            break
    return commands


@pytest.mark.parametrize("task", ["weighing", "sorting"])
def test_succeeds_without_a_refused_command(task: str) -> None:
    world = make_world(task)
    drive(world)
    assert world.sim.progress.success, world.sim.progress
    assert not world.refusals


def test_commands_come_at_100_hz_and_never_jump() -> None:
    world = make_world("weighing")
    commands = drive(world, limit=5.0)
    assert len(commands) == pytest.approx(100 * world.sim.time, abs=2)
    arms = np.array([command.arms for command in commands])
    assert np.abs(np.diff(arms, axis=0)).max() / 0.01 < 4.0
