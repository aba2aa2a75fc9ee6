"""What a recording says of walking: the whole command, also of whoever is silent."""

from __future__ import annotations

import numpy as np

from kuavo_deploy.executor.base import Odometry, Phase
from kuavo_deploy.executor.in_force import InForce
from kuavo_deploy.executor.motion import Commands

HERE = Odometry((1.0, 2.0, 0.5), 0.0, 0.0)
ARMS = np.arange(14.0)


def test_standing_the_base_is_to_stay_where_it_was_first_seen() -> None:
    in_force = InForce()
    first = in_force.update(Commands(0.0, arms=ARMS), Phase.STANCE, HERE)
    moved = Odometry((1.1, 2.0, 0.5), 0.0, 0.0)
    later = in_force.update(Commands(0.0, arms=ARMS + 1), Phase.STANCE, moved)
    assert first is not None and later is not None
    assert first.base == later.base == (1.0, 2.0, 0.5, 0.0)
    assert (later.arms == ARMS + 1).all()


def test_while_it_walks_the_arms_last_command_stays_in_force() -> None:
    in_force = InForce()
    in_force.update(Commands(0.0, arms=ARMS), Phase.STANCE, HERE)
    braking = in_force.update(Commands(0.0, arms=ARMS), Phase.BRAKING_ARMS, HERE)
    assert braking is not None and braking.base.move == 1.0
    in_force.update(Commands(0.0, base=(1.5, 2.0, 0.5)), Phase.WALKING, HERE)
    between = in_force.update(Commands(0.0), Phase.WALKING, HERE)
    assert between is not None
    assert (between.arms == ARMS).all() and between.base == (1.5, 2.0, 0.5, 1.0)
    settling = in_force.update(Commands(0.0), Phase.SETTLING, HERE)
    assert settling is not None and settling.base == (1.5, 2.0, 0.5, 0.0)


def test_silent_arms_have_no_command_and_the_next_one_starts_anew() -> None:
    in_force = InForce()
    assert in_force.update(Commands(0.0), Phase.STANCE, HERE) is None
    in_force.update(Commands(0.0, arms=ARMS), Phase.STANCE, HERE)
    assert in_force.update(Commands(0.0), Phase.STANCE, HERE) is None
    elsewhere = Odometry((3.0, 0.0, 0.0), 0.0, 0.0)
    again = in_force.update(Commands(0.0, arms=ARMS), Phase.STANCE, elsewhere)
    assert again is not None and again.base == (3.0, 0.0, 0.0, 0.0)


def test_without_odometry_there_is_no_whole_command() -> None:
    assert InForce().update(Commands(0.0, arms=ARMS), Phase.STANCE, None) is None
